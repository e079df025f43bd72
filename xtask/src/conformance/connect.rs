//! connectconformance: calls our server by two clients that it has, and has our client call two servers.

use super::Wanted;
use super::transcript::Transcript;
use crate::peers::go;
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const JUDGE: go::Tool = go::Tool {
    name: "connectconformance",
    version: "v1.0.5",
    packages: &["connectrpc.com/conformance/cmd/connectconformance"],
    pins: &[],
    programs: &["connectconformance"],
};

/// The package with our two programs; its folder is `xtask/conformance`.
const PACKAGE: &str = "trunkline-conformance";

const BUILD_BOUND: Duration = Duration::from_secs(1_200);

/// The longest that one side takes on two cores that others use too is a minute and a half.
const RUN_BOUND: Duration = Duration::from_secs(900);

/// Between two words about how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// Which of the judge's cases there are: they all are gRPC over HTTP/2 with protobuf, in plaintext, over TLS, and with
/// client certificates.
struct Config {
    name: &'static str,
    compressions: &'static [&'static str],
    server_cases: usize,
    client_cases: usize,
}

/// D has all cases of C once more: who runs both has those run twice.
const CONFIGS: &[Config] = &[
    Config {
        name: "C",
        compressions: &["IDENTITY", "GZIP"],
        server_cases: 566,
        client_cases: 634,
    },
    Config {
        name: "D",
        compressions: &["IDENTITY", "GZIP", "DEFLATE", "ZSTD"],
        server_cases: 920,
        client_cases: 1_056,
    },
];

/// Which of our programs is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Server,
    Client,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    const fn cases(self, config: &Config) -> usize {
        match self {
            Self::Server => config.server_cases,
            Self::Client => config.client_cases,
        }
    }
}

pub(super) fn run(wanted: &Wanted, run: &mut Run) {
    let suite = format!("{} {}", JUDGE.name, JUDGE.version);
    let (configs, modes) = match chosen(wanted) {
        Ok(chosen) => chosen,
        Err(why) => return run.failed(&suite, "the command line", None, why),
    };
    let judge = match JUDGE.install() {
        Ok(folder) => folder.join(JUDGE.name),
        Err(why) => return run.missing(why),
    };
    let programs = match build() {
        Ok(folder) => folder,
        Err(why) => return run.failed(&suite, "our programs", None, why),
    };
    let pattern = wanted.option("--run");
    let some = configs.len() < CONFIGS.len() || modes.len() < 2;
    for engine in wanted.engines.each() {
        for config in &configs {
            for &mode in &modes {
                let side = format!("{}, config {}", mode.name(), config.name);
                let mut row = Row::new(&suite, &side).on(Some(engine));
                if some || pattern.is_some() {
                    row = row.partial();
                }
                if pattern.is_none() {
                    row = row.expecting(mode.cases(config));
                }
                let judged = command(&judge, &programs, config, mode, pattern)
                    .and_then(|mut command| judged(engine.set(&mut command), &mut row));
                match judged {
                    Ok(()) => run.add(row),
                    Err(why) => run.failed(&suite, &side, Some(engine), why),
                }
            }
        }
    }
}

/// What there is to run, of what the command line says.
fn chosen(wanted: &Wanted) -> Result<(Vec<&'static Config>, Vec<Mode>), String> {
    let configs = match wanted.option("--config") {
        None => CONFIGS.iter().collect(),
        Some(name) => {
            let found = CONFIGS.iter().find(|config| config.name == name);
            let known: Vec<&str> = CONFIGS.iter().map(|config| config.name).collect();
            let unknown = || format!("no config {name:?}; there are {}", known.join(", "));
            vec![found.ok_or_else(unknown)?]
        }
    };
    let both = [Mode::Server, Mode::Client];
    let modes = match wanted.option("--mode") {
        None => both.to_vec(),
        Some(name) => {
            let found = both.into_iter().find(|mode| mode.name() == name);
            vec![found.ok_or_else(|| format!("no mode {name:?}; there are server and client"))?]
        }
    };
    Ok((configs, modes))
}

/// Builds our programs; the folder that they are in.
fn build() -> Result<PathBuf, String> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE, "--bins"]);
    process::run(&mut command, BUILD_BOUND)?;
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    Ok(target.join("debug"))
}

/// What judges one of our programs. That is the judge's child, and inherits its environment.
///
/// Errors: its description cannot be written.
fn command(
    judge: &Path,
    programs: &Path,
    config: &Config,
    mode: Mode,
    pattern: Option<&str>,
) -> Result<Command, String> {
    let folder = programs.with_file_name("suites");
    let file = folder.join(format!("{}-{}.yaml", JUDGE.name, config.name));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, yaml(config)))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(judge);
    command.args(["--mode", mode.name(), "--vv", "--trace", "--conf"]);
    command.arg(&file);
    if let Some(pattern) = pattern {
        command.args(["--run", pattern]);
    }
    command
        .arg("--")
        .arg(programs.join(format!("conformance-{}", mode.name())));
    Ok(command)
}

/// Has one of our programs judged.
///
/// Errors: the judge cannot be started, or did not come to an end.
fn judged(command: &mut Command, row: &mut Row) -> Result<(), String> {
    println!("$ {}", process::command_line(command));
    let begin = Instant::now();
    let mut said = begin;
    let mut transcript = Transcript::default();
    let ended = process::lines(command, RUN_BOUND, |line| {
        transcript.line(line);
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let (asked, answered) = transcript.progress();
            let seconds = begin.elapsed().as_secs();
            println!("   {answered} of {asked} cases answered after {seconds} s");
        }
    });
    let ended = ended.map_err(|error| format!("{}: {error}", JUDGE.name))?;
    row.took(begin.elapsed());
    let fault = transcript.fault();
    let mut failures = 0;
    for (name, failure) in transcript.into_cases() {
        failures += usize::from(failure.is_some());
        row.case(name, Duration::ZERO, failure);
    }
    let said = ended.stderr.trim();
    match fault {
        Some(fault) => Err(format!("{}: {fault}\n{said}", ended.ending())),
        // It knows of a failure that it did not name.
        None if !ended.succeeded() && failures == 0 => Err(format!("{}\n{said}", ended.ending())),
        None => Ok(()),
    }
}

/// The judge's description of what ours can do.
fn yaml(config: &Config) -> String {
    let compressions: Vec<String> = config
        .compressions
        .iter()
        .map(|name| format!("COMPRESSION_{name}"))
        .collect();
    format!(
        "features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  compressions: [{}]
  streamTypes:
    - STREAM_TYPE_UNARY
    - STREAM_TYPE_CLIENT_STREAM
    - STREAM_TYPE_SERVER_STREAM
    - STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM
    - STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM
  supportsH2c: true
  supportsTls: true
  supportsTlsClientCerts: true
  supportsTrailers: true
  supportsMessageReceiveLimit: true
",
        compressions.join(", ")
    )
}

/// A line for the list of foreign peers.
pub(super) fn describe() -> String {
    JUDGE.describe("conformance")
}
