//! h2spec and h2specd against a server and a client on our transport, and against the same on the h2 crate alone.
//!
//! Bare h2 is judged for comparison only: what it fails too is no defect of ours, yet shows as a failure until it is
//! gone or argued away in the documents.

mod output;

use crate::engines::{Engine, Engines};
use crate::peers::go;
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The newest release that Go's modules have: the tags after it were never published as such.
const TOOL: go::Tool = go::Tool {
    name: "h2spec",
    version: "v2.2.1+incompatible",
    packages: &[
        "github.com/summerwind/h2spec/cmd/h2spec",
        "github.com/summerwind/h2spec/cmd/h2specd",
    ],
    pins: &[
        ("github.com/summerwind/h2spec", "v2.2.1+incompatible"),
        ("github.com/fatih/color", "v1.19.0"),
        ("github.com/spf13/cobra", "v1.10.2"),
        ("golang.org/x/net", "v0.62.0"),
    ],
    programs: &["h2spec", "h2specd"],
};

const SERVER_CASES: usize = 146;
const CLIENT_CASES: usize = 57;

/// The package with what is judged; its folder is `xtask/h2spec`.
const PACKAGE: &str = "trunkline-h2spec";

const BUILD_BOUND: Duration = Duration::from_secs(1_200);
const START_BOUND: Duration = Duration::from_secs(10);

/// It takes seconds where every case passes; one that fails may wait for two seconds.
const SUITE_BOUND: Duration = Duration::from_secs(400);

/// Where h2specd listens: below the ports that systems give away by themselves.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Judges both sides of both libraries, ours on each engine.
pub(super) fn add_to(engines: Engines, run: &mut Run) {
    let tools = match TOOL.install() {
        Ok(folder) => folder,
        Err(why) => return run.missing(why),
    };
    let programs = match build() {
        Ok(folder) => folder,
        Err(why) => return run.failed("h2spec", "both sides", None, why),
    };
    let ours = engines.each().into_iter().map(Library::Ours);
    for library in ours.chain([Library::Bare]) {
        let judged = server(&tools, &programs, library);
        add(run, "h2spec", library, "server", SERVER_CASES, judged);
        let judged = client(&tools, &programs, library);
        add(run, "h2specd", library, "client", CLIENT_CASES, judged);
    }
}

/// What is judged.
#[derive(Clone, Copy)]
enum Library {
    Ours(Engine),
    /// The h2 crate and nothing else.
    Bare,
}

impl Library {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours(_) => "trunkline",
            Self::Bare => "bare h2, for comparison",
        }
    }

    /// What our programs are told.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ours(_) => &[],
            Self::Bare => &["--bare"],
        }
    }

    const fn engine(self) -> Option<Engine> {
        match self {
            Self::Ours(engine) => Some(engine),
            Self::Bare => None,
        }
    }

    fn set(self, command: &mut Command) {
        if let Some(engine) = self.engine() {
            engine.set(command);
        }
    }
}

/// A line for the list of foreign peers.
pub(super) fn describe() -> String {
    TOOL.describe("conformance")
}

type Judged = Result<(String, Duration), String>;

fn add(run: &mut Run, suite: &str, library: Library, side: &str, expected: usize, judged: Judged) {
    let suite = format!("{suite} {}", TOOL.version.trim_end_matches("+incompatible"));
    let side = format!("{}, {side}", library.name());
    match judged {
        Err(why) => run.failed(&suite, &side, library.engine(), why),
        Ok((text, time)) => {
            let mut row = Row::new(suite, side).on(library.engine());
            row = match library {
                Library::Ours(_) => row.expecting(expected),
                Library::Bare => row.comparison(),
            };
            for case in output::cases(&text) {
                row.case(case.name, Duration::ZERO, case.failure);
            }
            row.took(time);
            run.add(row);
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE, "--bins"]);
    process::run(&mut command, BUILD_BOUND)?;
    Ok(workspace::target_directory(&root.join("Cargo.toml"))?.join("debug"))
}

fn server(tools: &Path, programs: &Path, library: Library) -> Judged {
    let mut command = Command::new(programs.join("h2spec-server"));
    library.set(&mut command);
    let mut child = command
        .args(library.arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("h2spec-server: {error}"))?;
    let judged = port(&mut child).and_then(|port| {
        let mut judge = Command::new(tools.join("h2spec"));
        judge
            .args([
                "--strict",
                "--host",
                "127.0.0.1",
                "--path",
                "/",
                "--timeout",
                "2",
            ])
            .args(["--port", &port]);
        judge_with(&mut judge)
    });
    process::kill_tree(&mut child);
    judged
}

/// The first line that the server prints.
fn port(child: &mut Child) -> Result<String, String> {
    let Some(stdout) = child.stdout.take() else {
        return Err("h2spec-server: no output".to_owned());
    };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = tell.send(line.trim().to_owned());
    });
    match told.recv_timeout(START_BOUND) {
        Ok(port) if !port.is_empty() => Ok(port),
        _ => Err("h2spec-server: no port".to_owned()),
    }
}

fn client(tools: &Path, programs: &Path, library: Library) -> Judged {
    let mut program = vec![programs.join("h2spec-client").display().to_string()];
    program.extend(library.arguments().iter().map(|&word| word.to_owned()));
    let base = free_ports(CLIENT_CASES + 1)?;
    let mut judge = Command::new(tools.join("h2specd"));
    library.set(&mut judge);
    judge
        .args(["--strict", "--host", "127.0.0.1", "--timeout", "2"])
        .args(["--exec", &program.join(" ")])
        .args(["--port", &base.to_string()])
        .args(["--from-port", &(base + 1).to_string()]);
    judge_with(&mut judge)
}

/// The first of so many ports in a row that nobody listens on.
fn free_ports(count: usize) -> Result<u16, String> {
    let count = u16::try_from(count).map_err(|error| error.to_string())?;
    let seed = u16::try_from(std::process::id() % 100).unwrap_or(0) * 100;
    let offsets = (0..PORTS.end - PORTS.start - count).step_by(usize::from(count));
    for offset in offsets {
        let base = PORTS.start + (seed + offset) % (PORTS.end - PORTS.start - count);
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (base..base + count).all(free) {
            return Ok(base);
        }
    }
    Err(format!("no {count} free ports in a row"))
}

fn judge_with(judge: &mut Command) -> Judged {
    let begin = Instant::now();
    println!("$ {}", process::command_line(judge));
    let captured =
        process::capture(judge, SUITE_BOUND).map_err(|error| format!("cannot start: {error}"))?;
    if captured.status.is_none() {
        return Err(format!("not done after {} s", SUITE_BOUND.as_secs()));
    }
    Ok((captured.stdout, begin.elapsed()))
}
