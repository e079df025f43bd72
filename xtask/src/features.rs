//! `features`: every crate that is published is free of warnings without its features, with each side
//! alone, and with all of them.

use crate::outcome::Outcome;
use crate::process;
use crate::workspace;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(600);

/// Sets that users pick, besides none and all.
const PICKED: &[(&str, &str)] = &[
    ("trunkline", "client"),
    ("trunkline", "server,prost"),
    ("trunkline-core", "gzip"),
    ("trunkline-core", "deflate"),
    ("trunkline-core", "zstd"),
    ("trunkline-client", "tls"),
    ("trunkline-server", "testing"),
    ("trunkline-server", "health"),
    ("trunkline-server", "reflection"),
];

pub(crate) fn run(_: &[String]) -> Outcome {
    if !process::exists("cargo-clippy", "--version") {
        return Outcome::missing_tool("no clippy: `rustup component add clippy`");
    }
    Outcome::from_result(check())
}

fn check() -> Result<(), String> {
    let members = workspace::members()?;
    for member in members.iter().filter(|member| member.is_published) {
        clippy(&member.name, &["--no-default-features"])?;
        clippy(&member.name, &["--all-features"])?;
    }
    for (name, features) in PICKED {
        clippy(name, &["--no-default-features", "--features", features])?;
    }
    Ok(())
}

/// Clippy, because a warning can be made an error there without building everything anew.
fn clippy(package: &str, features: &[&str]) -> Result<(), String> {
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .args(["clippy", "--quiet", "--package", package])
        .args(features)
        .args(["--", "-D", "warnings"]);
    process::run(&mut command, BOUND)
}
