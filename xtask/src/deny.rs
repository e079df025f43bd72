//! `deny`: cargo-deny on deny.toml: banned and doubled crates, licences, sources, advisories.

use crate::outcome::{self, Outcome};
use crate::{peers, process, workspace};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(300);

pub(crate) fn run(_: &[String]) -> Outcome {
    // Building it takes minutes: at home that is for whoever asks, under CI=true it is part of the gate.
    let program = match peers::cargo_deny() {
        Some(program) => program,
        None if outcome::is_ci() => match peers::install_cargo_deny() {
            Ok(program) => program,
            Err(why) => return Outcome::Failed(why),
        },
        None => {
            return Outcome::missing_tool(format!("no cargo-deny: {}", peers::CARGO_DENY_INSTALL));
        }
    };
    let root = workspace::root();
    let mut command = Command::new(&program);
    command.current_dir(&root).args([
        "--locked",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]);
    if let Err(why) = process::run(&mut command, BOUND) {
        return Outcome::Failed(why);
    }
    advisories(&program, &root)
}

/// The database is a git repository: not being able to fetch it says nothing about our crates.
fn advisories(program: &Path, root: &Path) -> Outcome {
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .args(["--locked", "--workspace", "check", "advisories"]);
    match process::capture(&mut command, BOUND) {
        Ok(captured) if captured.succeeded() => {
            println!("advisories ok");
            Outcome::Passed
        }
        Ok(captured) if is_unreachable(&captured.stderr) => {
            println!("advisories: skipped: the advisory database cannot be fetched from here");
            Outcome::Passed
        }
        Ok(captured) => {
            println!("{}{}", captured.stdout, captured.stderr);
            Outcome::Failed(format!(
                "cargo-deny check advisories: {}",
                captured.ending()
            ))
        }
        Err(error) => Outcome::Failed(format!("cargo-deny: {error}")),
    }
}

fn is_unreachable(stderr: &str) -> bool {
    stderr.contains("failed to fetch advisory database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unreachable_database_is_a_skip() {
        assert!(is_unreachable(
            "[ERROR] failed to fetch advisory database https://example.org"
        ));
        assert!(!is_unreachable("error[vulnerability]: use after free"));
    }
}
