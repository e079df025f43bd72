//! `fmt` and `clippy`: the two gates that the toolchain brings along.

use crate::outcome::Outcome;
use crate::process;
use crate::workspace;
use std::time::Duration;

const FORMAT_BOUND: Duration = Duration::from_secs(300);
const CLIPPY_BOUND: Duration = Duration::from_secs(1_800);

/// rustfmt with its defaults, on this workspace and on the one of `xtask/bench`.
pub(crate) fn format(_: &[String]) -> Outcome {
    if !process::exists("rustfmt", "--version") {
        return Outcome::missing_tool("no rustfmt: `rustup component add rustfmt`");
    }
    let root = workspace::root();
    for manifest in ["Cargo.toml", "xtask/bench/Cargo.toml"] {
        let manifest = root.join(manifest);
        if !manifest.exists() {
            continue;
        }
        let mut command = process::cargo();
        command
            .current_dir(&root)
            .args(["fmt", "--all", "--check", "--manifest-path"])
            .arg(&manifest);
        if let Err(why) = process::run(&mut command, FORMAT_BOUND) {
            return Outcome::Failed(format!("{why}; `cargo fmt --all` repairs it"));
        }
    }
    Outcome::Passed
}

/// Every target of every member; the lint table is the workspace's, a warning is an error here.
pub(crate) fn clippy(_: &[String]) -> Outcome {
    if !process::exists("cargo-clippy", "--version") {
        return Outcome::missing_tool("no clippy: `rustup component add clippy`");
    }
    let mut command = process::cargo();
    command.current_dir(workspace::root()).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    Outcome::from_result(process::run(&mut command, CLIPPY_BOUND))
}
