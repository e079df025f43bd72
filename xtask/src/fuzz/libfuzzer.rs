//! libFuzzer: cargo-fuzz builds one program with all targets, by the nightly toolchain; we run it.

use super::{Report, bounded, findings, replay};
use crate::{peers, process};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// By this version the figures in our documents were had.
const CARGO_FUZZ: &str = "0.13.2";

const INSTALL_BOUND: Duration = Duration::from_secs(1_500);
const BUILD_BOUND: Duration = Duration::from_secs(2_400);
const GRACE: Duration = Duration::from_secs(180);
const ASK_BOUND: Duration = Duration::from_secs(60);

/// What an input may take.
const INPUT_SECONDS: u32 = 60;
const MEMORY_MIB: u32 = 1_536;

pub(super) struct Driver {
    program: PathBuf,
    /// The committed inputs, a folder for each target.
    corpus: PathBuf,
    /// Inputs that reached something new on this machine.
    learned: PathBuf,
}

impl Driver {
    /// Brings cargo-fuzz if it is not there, and builds.
    ///
    /// Errors: what is missing, in words.
    pub(super) fn prepare(root: &Path, target: &Path) -> Result<Self, String> {
        if !process::exists("rustup", "--version") {
            return Err("no rustup to find a nightly toolchain by".to_owned());
        }
        let version = process::capture(nightly("rustc").arg("-vV"), ASK_BOUND);
        let version = version.map_err(|error| format!("rustup: {error}"))?;
        if !version.succeeded() {
            return Err(
                "no nightly toolchain; `rustup toolchain install nightly` brings it".to_owned(),
            );
        }
        let host = version
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or("rustc does not say for what it builds")?;
        let cargo_fuzz = install()?;
        let folder = target.join("fuzz");
        let mut command = nightly(&cargo_fuzz);
        command
            .current_dir(root)
            .arg("build")
            .arg("any")
            .args(["--fuzz-dir", "xtask/fuzz/libfuzzer"])
            .args(["--sanitizer", "none", "--target", host])
            .arg("--target-dir")
            .arg(folder.join("libfuzzer"));
        process::run(&mut command, BUILD_BOUND)?;
        Ok(Self {
            program: folder.join("libfuzzer").join(host).join("release/any"),
            corpus: root.join("xtask/fuzz/corpus"),
            learned: folder.join("corpus"),
        })
    }

    pub(super) fn run(&self, name: &str, time: Duration) -> Report {
        let begin = Instant::now();
        let mut report = self.attempt(name, time).unwrap_or_else(|why| Report {
            failure: Some(why),
            ..Report::default()
        });
        report.time = begin.elapsed();
        report
    }

    fn attempt(&self, name: &str, time: Duration) -> Result<Report, String> {
        let (learned, findings) = (self.learned.join(name), findings()?);
        let made = std::fs::create_dir_all(&learned);
        made.map_err(|error| format!("{}: {error}", learned.display()))?;
        let mut command = bounded(&self.program);
        command
            .env("TRUNKLINE_FUZZ_TARGET", name)
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .arg(format!("-artifact_prefix={}/{name}-", findings.display()))
            .args(["-print_final_stats=1", "-reload=0"])
            .arg(&learned);
        let committed = self.corpus.join(name);
        if committed.is_dir() {
            command.arg(committed);
        }
        let captured = process::capture(&mut command, time + GRACE);
        let captured = captured.map_err(|error| format!("{}: {error}", self.program.display()))?;
        let mut report = read(&captured.stderr);
        if !captured.succeeded() {
            let lines: Vec<&str> = captured.stderr.lines().collect();
            let last = lines
                .get(lines.len().saturating_sub(30)..)
                .unwrap_or_default()
                .join("\n");
            let file = found(&captured.stderr);
            let again = file.map_or_else(String::new, |file| replay(name, &file));
            report.failure = Some(format!("{}: {last}\n{again}", captured.ending()));
        }
        Ok(report)
    }
}

/// A program of the nightly toolchain, or one that starts such.
fn nightly(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("rustup");
    // Those of the toolchain that this tool was started by would win.
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .args(["run", "nightly"])
        .arg(program);
    command
}

/// cargo-fuzz by pinned version, in the peers cache.
fn install() -> Result<PathBuf, String> {
    let folder = peers::cache().join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = folder.join("bin/cargo-fuzz");
    if program.is_file() {
        return Ok(program);
    }
    println!("installing cargo-fuzz {CARGO_FUZZ}, once; this takes minutes");
    let mut command = process::cargo();
    // Outside this workspace: neither its lock file nor its settings are this program's.
    command
        .current_dir(std::env::temp_dir())
        .args([
            "install",
            "cargo-fuzz",
            "--locked",
            "--version",
            CARGO_FUZZ,
            "--root",
        ])
        .arg(&folder);
    process::run(&mut command, INSTALL_BOUND)?;
    Ok(program)
}

/// The figures among what libFuzzer says.
fn read(said: &str) -> Report {
    let executed = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let coverage = said.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split(' ').next()?.parse().ok()
    });
    Report {
        executions: executed
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0),
        coverage,
        ..Report::default()
    }
}

/// The file with the input that failed.
fn found(said: &str) -> Option<PathBuf> {
    let line = said
        .lines()
        .rev()
        .find_map(|line| line.split_once("Test unit written to "))?;
    Some(PathBuf::from(line.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_last_lines() {
        let said = "#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#500\tDONE   cov: 321 ft: 900 corp: 40/1Kb\n\
                    stat::number_of_executed_units: 500\n";
        let report = read(said);
        assert_eq!((report.executions, report.coverage), (500, Some(321)));
        let died = "==1== ERROR\nartifact_prefix='x'; Test unit written to x/frames-crash-1\n";
        assert_eq!(found(died), Some(PathBuf::from("x/frames-crash-1")));
    }
}
