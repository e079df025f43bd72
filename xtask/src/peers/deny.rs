//! cargo-deny, which one gate runs.

use super::cache;
use crate::process;
use std::path::PathBuf;
use std::time::Duration;

/// The release that deny.toml was written against; building it takes about five minutes on two cores.
const CARGO_DENY: &str = "0.18.9";

/// What brings cargo-deny to a machine for good.
pub(crate) const CARGO_DENY_INSTALL: &str = "`cargo install cargo-deny --locked` brings it";

const CARGO_INSTALL_BOUND: Duration = Duration::from_secs(1_500);

/// cargo-deny: the pinned one of the peers cache, else whatever the path has.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    let cached = cargo_deny_folder().join("bin/cargo-deny");
    let candidates = [cached, PathBuf::from("cargo-deny")];
    candidates
        .into_iter()
        .find(|program| process::exists(program, "--version"))
}

/// Builds the pinned cargo-deny into the peers cache.
pub(crate) fn install_cargo_deny() -> Result<PathBuf, String> {
    println!("installing cargo-deny {CARGO_DENY}, once; this takes minutes");
    let folder = cargo_deny_folder();
    let mut command = process::cargo();
    // Outside this workspace: neither its lock file nor its settings are this program's.
    command
        .current_dir(std::env::temp_dir())
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            CARGO_DENY,
            "--root",
        ])
        .arg(&folder);
    process::run(&mut command, CARGO_INSTALL_BOUND)?;
    cargo_deny().ok_or_else(|| format!("cargo install left no program in {}", folder.display()))
}

fn cargo_deny_folder() -> PathBuf {
    cache().join(format!("cargo-deny-{CARGO_DENY}"))
}
