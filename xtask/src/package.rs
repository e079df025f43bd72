//! `package`: what each crate would publish, looked at; in the gatekeeper's run also built from there.

use crate::outcome::{self, Outcome};
use crate::process;
use crate::workspace::{self, Package};
use std::time::Duration;

const LIST_BOUND: Duration = Duration::from_secs(60);
const PACKAGE_BOUND: Duration = Duration::from_secs(1_200);

/// What every package has.
const WANTED: &[&str] = &[
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src/lib.rs",
];

/// What cargo adds by itself.
const BY_CARGO: &[&str] = &[".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml.orig"];

pub(crate) fn run(_: &[String]) -> Outcome {
    Outcome::from_result(check())
}

fn check() -> Result<(), String> {
    let members = workspace::members()?;
    let (published, others): (Vec<_>, Vec<_>) =
        members.iter().partition(|member| member.is_published);
    for member in &published {
        let faults = faults(&files(member)?);
        if !faults.is_empty() {
            return Err(format!(
                "the package of {}: {}",
                member.name,
                faults.join(", ")
            ));
        }
    }
    let mut command = process::cargo();
    command.current_dir(workspace::root()).args([
        "package",
        "--workspace",
        "--allow-dirty",
        "--quiet",
    ]);
    for member in &others {
        command.args(["--exclude", &member.name]);
    }
    // Building each crate from its package alone takes minutes.
    if !outcome::is_ci() {
        command.arg("--no-verify");
    }
    process::run(&mut command, PACKAGE_BOUND)
}

fn files(member: &Package) -> Result<Vec<String>, String> {
    let mut command = process::cargo();
    command.current_dir(workspace::root()).args([
        "package",
        "--list",
        "--allow-dirty",
        "--package",
        &member.name,
    ]);
    let captured = process::capture(&mut command, LIST_BOUND)
        .map_err(|error| format!("cargo package: {error}"))?;
    if captured.succeeded() {
        Ok(captured
            .stdout
            .lines()
            .map(|line| line.replace('\\', "/"))
            .collect())
    } else {
        Err(format!(
            "cargo package: {}\n{}",
            captured.ending(),
            captured.stderr
        ))
    }
}

/// What is missing from a package, and what has no place in it.
fn faults(files: &[String]) -> Vec<String> {
    let has = |wanted: &&&str| !files.iter().any(|file| file == **wanted);
    let missing = WANTED.iter().filter(has).map(|file| format!("no {file}"));
    let belongs =
        |file: &str| WANTED.contains(&file) || BY_CARGO.contains(&file) || file.starts_with("src/");
    let junk = files.iter().filter(|file| !belongs(file));
    missing
        .chain(junk.map(|file| format!("{file} does not belong there")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_is_too_much() {
        let files = [
            "Cargo.toml",
            "Cargo.lock",
            "LICENSE-MIT",
            "README.md",
            "src/lib.rs",
            "src/a/b.rs",
            ".ci/run",
        ];
        let files = files.map(str::to_owned);
        assert_eq!(
            faults(&files),
            ["no LICENSE-APACHE", ".ci/run does not belong there"]
        );
    }
}
