//! The program that compares our HPACK with one that others wrote: a workspace of its own.

use super::{Report, stable};
use crate::{process, workspace};
use std::time::{Duration, Instant};

/// The name of its row.
pub(super) const NAME: &str = "http2-hpack-oracle";

const MANIFEST: &str = "xtask/fuzz/oracle/Cargo.toml";

/// With building it.
const BOUND: Duration = Duration::from_secs(900);

pub(super) fn run() -> Report {
    let begin = Instant::now();
    let mut report = attempt().unwrap_or_else(|why| Report {
        failure: Some(why),
        ..Report::default()
    });
    report.time = begin.elapsed();
    report
}

fn attempt() -> Result<Report, String> {
    let root = workspace::root();
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["run", "--quiet", "--locked", "--manifest-path", MANIFEST])
        .arg("--target-dir")
        .arg(target.join("fuzz/oracle"));
    let captured = process::capture(&mut command, BOUND);
    let captured = captured.map_err(|error| format!("cargo: {error}"))?;
    if !captured.succeeded() {
        return Err(format!("{}: {}", captured.ending(), captured.stderr));
    }
    Ok(Report {
        executions: stable::executions(&captured.stdout).unwrap_or(0),
        ..Report::default()
    })
}
