//! The programs: which libraries there are, and how one of theirs is started.

use super::tune::Variant;
use crate::peers::{cache, go::INSTALL_BOUND};
use crate::{outcome, process, workspace};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The workspace of the Rust programs, apart from ours: see its manifest.
const MANIFEST: &str = "xtask/bench/Cargo.toml";
const GO_FOLDER: &str = "xtask/bench/go";

const BUILD_BOUND: Duration = Duration::from_secs(1_800);
/// Under valgrind it takes seconds.
const START_BOUND: Duration = Duration::from_secs(30);
/// To write down what was counted.
const STOP_BOUND: Duration = Duration::from_secs(60);

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Library {
    /// For the command line and the record.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    /// The programs are `<program>-server` and `<program>-client`.
    program: &'static str,
    environment: &'static [(&'static str, &'static str)],
    pub(super) is_go: bool,
}

const fn library(name: &'static str, title: &'static str, program: &'static str) -> Library {
    Library {
        name,
        title,
        program,
        environment: &[],
        is_go: false,
    }
}

/// In the order of the report.
pub(super) const LIBRARIES: &[Library] = &[
    Library {
        environment: &[("TRUNKLINE_HTTP2_ENGINE", "native")],
        ..library("trunkline", "trunkline", "trunkline")
    },
    Library {
        environment: &[("TRUNKLINE_HTTP2_ENGINE", "h2")],
        ..library("trunkline-h2", "trunkline on h2", "trunkline")
    },
    library("h2", "bare h2", "h2"),
    library("tonic", "tonic", "tonic"),
    library("connect", "connectrpc", "connect"),
    Library {
        is_go: true,
        ..library("grpc-go", "grpc-go", "grpc-go")
    },
];

/// What people call it.
pub(super) fn title(name: &str) -> &str {
    let found = LIBRARIES.iter().find(|library| library.name == name);
    found.map_or(name, |library| library.title)
}

/// On one thread each, the two sides do not share a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    FirstCpu,
    SecondCpu,
}

/// All programs, built.
pub(super) struct Programs {
    folder: PathBuf,
    go: Option<PathBuf>,
    can_pin: bool,
    /// For files of a run.
    pub(super) scratch: PathBuf,
}

impl Programs {
    /// Builds them. grpc-go's takes part where Go is.
    pub(super) fn build(with_go: bool) -> Result<Self, String> {
        let (mut command, target) = cargo_command("build")?;
        process::run(&mut command, BUILD_BOUND)?;
        let go = if with_go { build_go()? } else { None };
        Self::of_folder(&target, target.join("release"), go)
    }

    /// Builds trunkline's, and those that belong to no library, in another way.
    pub(super) fn variant(variant: &Variant) -> Result<Self, String> {
        let (mut command, target) = cargo_command("build")?;
        let folder = target.join("tune").join(variant.name);
        command.envs(variant.environment.iter().copied());
        command.args(["--features", variant.features]);
        for program in [
            "certificate",
            "load",
            "mirror",
            "trunkline-client",
            "trunkline-server",
        ] {
            command.args(["--bin", program]);
        }
        command.arg("--target-dir").arg(&folder);
        process::run(&mut command, BUILD_BOUND)?;
        Self::of_folder(&target, folder.join("release"), None)
    }

    fn of_folder(target: &Path, folder: PathBuf, go: Option<PathBuf>) -> Result<Self, String> {
        let scratch = target.join("bench");
        std::fs::create_dir_all(&scratch)
            .map_err(|error| format!("{}: {error}", scratch.display()))?;
        let programs = Self {
            folder,
            go,
            can_pin: can_pin(),
            scratch,
        };
        if !programs.can_pin {
            println!(
                "no taskset, or a single CPU: programs of one thread run wherever they are put"
            );
        }
        let mut command = Command::new(programs.folder.join("certificate"));
        process::run(command.arg(programs.certificates()), STOP_BOUND)?;
        Ok(programs)
    }

    /// What can be started here.
    pub(super) fn has(&self, library: &Library) -> bool {
        !library.is_go || self.go.is_some()
    }

    pub(super) fn pins(&self) -> bool {
        self.can_pin
    }

    /// Of the cells over TLS.
    pub(super) fn certificates(&self) -> PathBuf {
        self.scratch.join("tls")
    }

    /// A program of ours, without a library.
    pub(super) fn own(&self, name: &str, place: Place) -> Command {
        self.placed(&self.folder.join(name), place, &[])
    }

    /// A library's server or client; `beneath` is what it runs in.
    pub(super) fn of(
        &self,
        library: &Library,
        role: &str,
        place: Place,
        beneath: &[String],
    ) -> Command {
        let mut command = match (&self.go, library.is_go) {
            (Some(go), true) => {
                let mut command = self.placed(go, place, beneath);
                command.arg(role);
                command
            }
            _ => {
                let name = format!("{}-{role}", library.program);
                self.placed(&self.folder.join(name), place, beneath)
            }
        };
        command.envs(library.environment.iter().copied());
        command
    }

    fn placed(&self, program: &Path, place: Place, beneath: &[String]) -> Command {
        let cpu = match place {
            Place::FirstCpu if self.can_pin => Some("0"),
            Place::SecondCpu if self.can_pin => Some("1"),
            _ => None,
        };
        let mut words: Vec<&std::ffi::OsStr> = Vec::new();
        if let Some(cpu) = cpu {
            words.extend(["taskset", "-c", cpu].map(std::ffi::OsStr::new));
        }
        words.extend(beneath.iter().map(std::ffi::OsStr::new));
        words.push(program.as_os_str());
        let (first, rest) = words
            .split_first()
            .map_or((program.as_os_str(), &[][..]), |it| (*it.0, it.1));
        let mut command = Command::new(first);
        command.args(rest);
        command
    }
}

/// A command of cargo's for the programs, and where they come to lie.
fn cargo_command(subcommand: &str) -> Result<(Command, PathBuf), String> {
    let manifest = workspace::root().join(MANIFEST);
    let mut command = process::cargo();
    command
        .args([subcommand, "--release", "--manifest-path"])
        .arg(&manifest);
    if outcome::is_ci() {
        // A dependency that one of our crates gained must have reached this lock file too.
        command.arg("--locked");
    }
    let target = workspace::target_directory(&manifest)?;
    Ok((command, target))
}

/// Whether programs can be kept on the first CPU, and on the second.
fn can_pin() -> bool {
    ["0", "1"].iter().all(|cpu| {
        let mut command = Command::new("taskset");
        command.args(["-c", cpu, "true"]);
        process::capture(&mut command, STOP_BOUND).is_ok_and(|captured| captured.succeeded())
    })
}

/// The tests of what the programs share.
pub(super) fn test() -> Result<(), String> {
    let (mut command, _) = cargo_command("test")?;
    process::run(command.args(["--lib", "--quiet"]), BUILD_BOUND)
}

/// Built each time: Go knows what has changed.
fn build_go() -> Result<Option<PathBuf>, String> {
    if !process::exists("go", "version") {
        println!("no Go toolchain: grpc-go does not take part");
        return Ok(None);
    }
    let folder = cache().join("grpc-go-bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let program = folder.join("bench");
    let mut command = Command::new("go");
    command
        .current_dir(workspace::root().join(GO_FOLDER))
        .args(["build", "-p", "1", "-o"])
        .arg(&program)
        .arg(".");
    process::run(&mut command, INSTALL_BOUND)?;
    Ok(Some(program))
}

/// Runs a program to its end; what it printed.
pub(super) fn finish(command: &mut Command, bound: Duration) -> Result<process::Captured, String> {
    let line = process::command_line(command);
    let captured = process::capture(command, bound).map_err(|error| format!("{line}: {error}"))?;
    if captured.succeeded() {
        Ok(captured)
    } else {
        Err(format!(
            "{line}: {}\n{}",
            captured.ending(),
            captured.stderr
        ))
    }
}

/// A server process that said where it listens; ended by id when dropped.
pub(super) struct RunningServer {
    child: Child,
    /// It ends by itself when this does: also if this process is killed.
    stdin: Option<ChildStdin>,
    pub(super) address: String,
    line: String,
}

impl RunningServer {
    /// `said` takes what it says on standard error.
    pub(super) fn start(command: &mut Command, said: Option<File>) -> Result<Self, String> {
        let line = process::command_line(command);
        if let Some(said) = said {
            command.stderr(said);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{line}: {error}"))?;
        let stdout = child.stdout.take();
        let mut server = Self {
            stdin: child.stdin.take(),
            child,
            address: String::new(),
            line,
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
                "{}: does not say where it listens, but {said:?}",
                server.line
            )),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it end by itself, with its last words.
    pub(super) fn stop(mut self) -> Result<(), String> {
        drop(self.stdin.take());
        match process::wait(&mut self.child, STOP_BOUND) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(format!("{}: does not end", self.line)),
            Err(error) => Err(format!("{}: {error}", self.line)),
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        process::kill_tree(&mut self.child);
    }
}
