//! `tools`: what people point at servers, each by pinned version, against a server of ours with health and reflection.

mod cases;
mod evans;
mod grpcurl;
mod health_probe;

use crate::engines::{Engine, Engines};
use crate::interop::{Listen, Running, ServerCommand, build_programs};
use crate::outcome::Outcome;
use crate::peers::TestCertificates;
use crate::process;
use crate::suites::{Row, Run};
use cases::Case;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A tool asks one question, and gets its answer or a failure at once.
const CASE_BOUND: Duration = Duration::from_secs(30);

/// A program that asks servers questions.
struct Tool {
    /// Name and version.
    title: &'static str,
    /// Brings it by pinned version if it is not there yet. What is missing for that is the error.
    install: fn() -> Result<PathBuf, String>,
    is_installed: fn() -> bool,
    /// The command that asks one question.
    command: fn(&Path, &Question<'_>) -> Result<Command, String>,
    cases: &'static [Case],
    sides: &'static [Side],
}

/// What a tool is to ask, and whom.
struct Question<'a> {
    case: &'a Case,
    port: u16,
    /// `None` is plaintext.
    tls: Option<&'a TestCertificates>,
}

/// A server of ours.
struct Side {
    name: &'static str,
    command: ServerCommand,
    is_tls: bool,
}

const V1: Side = Side {
    name: "reflection v1, plaintext",
    command: |folder, listen| serve(folder, listen, Some("v1")),
    is_tls: false,
};

const V1ALPHA: Side = Side {
    name: "reflection v1alpha, plaintext",
    command: |folder, listen| serve(folder, listen, Some("v1alpha")),
    is_tls: false,
};

const PLAINTEXT: Side = Side {
    name: "server, plaintext",
    command: |folder, listen| serve(folder, listen, None),
    is_tls: false,
};

const TLS: Side = Side {
    name: "server, TLS",
    command: |folder, listen| serve(folder, listen, None),
    is_tls: true,
};

/// In the order of the report.
const TOOLS: &[&Tool] = &[&grpcurl::TOOL, &health_probe::TOOL, &evans::TOOL];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (engines, words) = match Engines::take(arguments) {
        Ok(taken) => taken,
        Err(why) => return Outcome::Failed(why),
    };
    if let Some(word) = words.first() {
        return Outcome::Failed(format!("tools takes no such argument: {word:?}"));
    }
    let ours = match build_programs() {
        Ok(folder) => folder,
        Err(why) => return Outcome::Failed(why),
    };
    let certificates = TestCertificates::find();
    let mut run = Run::new("tools").partial(engines.is_chosen());
    for tool in TOOLS {
        match (tool.install)() {
            Ok(program) => {
                for side in tool.sides {
                    let tls = match (side.is_tls, &certificates) {
                        (false, _) => None,
                        (true, Ok(tls)) => Some(tls),
                        (true, Err(why)) => {
                            run.missing(format!("{} over TLS: {why}", tool.title));
                            continue;
                        }
                    };
                    for engine in engines.each() {
                        judge(tool, &program, side, &ours, (tls, engine), &mut run);
                    }
                }
            }
            Err(why) => run.missing(why),
        }
    }
    run.finish()
}

/// A line for each: there or not, and what brings it.
pub(crate) fn describe() -> Vec<String> {
    let line = |tool: &&Tool| {
        let state = if (tool.is_installed)() {
            "installed"
        } else {
            "missing; `cargo xtask tools` builds it (needs Go)"
        };
        format!("{}: {state}", tool.title)
    };
    TOOLS.iter().map(line).collect()
}

/// Asks all of a tool's questions and adds its row.
fn judge(
    tool: &Tool,
    program: &Path,
    side: &Side,
    ours: &Path,
    (tls, engine): (Option<&TestCertificates>, Engine),
    run: &mut Run,
) {
    let on = Some(engine);
    let mut server = match Running::start((side.command, ours), tls, on) {
        Ok(server) => server,
        Err(why) => return run.failed(tool.title, side.name, on, why),
    };
    let mut row = Row::new(tool.title, side.name)
        .on(on)
        .expecting(tool.cases.len());
    for case in tool.cases {
        let begin = Instant::now();
        let port = server.port();
        let question = Question { case, port, tls };
        let mut failure = ask(tool, program, &question).err();
        if let (Some(why), Some(how)) = (&mut failure, server.died()) {
            why.push_str(&format!("\nthe server ended: {how}"));
        }
        row.case(case.name, begin.elapsed(), failure);
    }
    run.add(row);
}

fn ask(tool: &Tool, program: &Path, question: &Question<'_>) -> Result<(), String> {
    let mut command = (tool.command)(program, question)?;
    let line = process::command_line(&command);
    let captured =
        process::capture(&mut command, CASE_BOUND).map_err(|error| format!("{line}: {error}"))?;
    question
        .case
        .judge(&captured)
        .map_err(|why| format!("{line}\n{why}"))
}

fn serve(folder: &Path, listen: &Listen<'_>, reflection: Option<&str>) -> Command {
    let mut command = Command::new(folder.join("tools-server"));
    command.arg(format!("--port={}", listen.port));
    command.args(reflection.map(|version| format!("--reflection={version}")));
    if let Some(tls) = listen.tls {
        command
            .arg("--use_tls=true")
            .arg(format!("--tls_cert_file={}", tls.chain.display()))
            .arg(format!("--tls_key_file={}", tls.key.display()));
    }
    command
}
