//! The load programs: which there are, and how a pair of them is run.

use super::options::{Cell, Options};
use super::results::Numbers;
use crate::{process, workspace};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// In the order of the report. A library takes part once it has both programs.
const LIBRARIES: &[&str] = &["h2", "tonic", "trunkline"];

const START_BOUND: Duration = Duration::from_secs(10);
/// Beyond its own warm-up and measured time, a client may take this long.
const CLIENT_GRACE: Duration = Duration::from_secs(20);

/// On one thread each, the two sides do not share a CPU.
const SERVER_CPU: &str = "0";
const CLIENT_CPU: &str = "1";

pub(super) struct Programs {
    sources: PathBuf,
    folder: PathBuf,
    can_pin: bool,
}

impl Programs {
    pub(super) fn find(manifest: &Path) -> Result<Self, String> {
        let sources = manifest.parent().unwrap_or(manifest).join("src/bin");
        let folder = workspace::target_directory(manifest)?.join("release");
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            sources,
            folder,
            can_pin: cpus > 1 && process::exists("taskset", "--version"),
        })
    }

    pub(super) fn libraries(&self) -> Vec<&'static str> {
        let has = |name: &str, side| self.sources.join(format!("{name}-{side}.rs")).exists();
        LIBRARIES
            .iter()
            .copied()
            .filter(|name| has(name, "server") && has(name, "client"))
            .collect()
    }

    /// Starts the server, loads it with the client, ends both.
    pub(super) fn run(
        &self,
        server: &str,
        client: &str,
        cell: &Cell,
        options: &Options,
    ) -> Result<Numbers, String> {
        let mut command = self.command(&format!("{server}-server"), SERVER_CPU, options);
        let server = RunningServer::start(&mut command)?;
        let warmup = options.seconds / 3.0;
        let mut command = self.command(&format!("{client}-client"), CLIENT_CPU, options);
        for (name, value) in [
            ("--address", server.address.clone()),
            ("--connections", cell.connections.to_string()),
            ("--in-flight", cell.in_flight.to_string()),
            ("--payload", cell.payload_bytes.to_string()),
            ("--warmup", warmup.to_string()),
            ("--seconds", options.seconds.to_string()),
            ("--server-pid", server.child.id().to_string()),
        ] {
            command.args([name, &value]);
        }
        let bound = CLIENT_GRACE + Duration::from_secs_f64(warmup + options.seconds);
        let line = process::command_line(&command);
        let captured =
            process::capture(&mut command, bound).map_err(|error| format!("{line}: {error}"))?;
        if !captured.succeeded() {
            return Err(format!(
                "{line}: {}\n{}",
                captured.ending(),
                captured.stderr
            ));
        }
        Numbers::parse(&captured.stdout)
            .ok_or_else(|| format!("{line}: printed {:?}", captured.stdout))
    }

    fn command(&self, program: &str, cpu: &str, options: &Options) -> Command {
        let program = self.folder.join(program);
        if !options.single_thread {
            return Command::new(program);
        }
        let mut command = if self.can_pin {
            let mut command = Command::new("taskset");
            command.args(["-c", cpu]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("--st");
        command
    }
}

/// A server process that said where it listens; ended by id when dropped.
struct RunningServer {
    child: Child,
    address: String,
}

impl RunningServer {
    fn start(command: &mut Command) -> Result<Self, String> {
        let line = process::command_line(command);
        // It ends by itself when its standard input does: also if this process is killed.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{line}: {error}"))?;
        let stdout = child.stdout.take();
        let mut server = Self {
            child,
            address: String::new(),
        };
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut first = String::new();
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout).read_line(&mut first);
            }
            let _ = tell.send(first);
        });
        let said = told.recv_timeout(START_BOUND).unwrap_or_default();
        match said.trim().strip_prefix("listening ") {
            Some(address) => {
                server.address = address.to_owned();
                Ok(server)
            }
            None => Err(format!(
                "{line}: does not say where it listens, but {said:?}"
            )),
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        process::kill_tree(&mut self.child);
    }
}
