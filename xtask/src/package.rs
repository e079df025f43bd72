//! `package`: what each crate would publish, looked at, and built from there.

use crate::outcome::Outcome;
use crate::process;
use crate::workspace::{self, Package};
use std::fs;
use std::process::Command;
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
        "--no-verify",
    ]);
    for member in &others {
        command.args(["--exclude", &member.name]);
    }
    process::run(&mut command, PACKAGE_BOUND)?;
    build(&published)
}

/// Builds each crate from its package, with the others' packages around it.
///
/// Cargo can do that as well, but it keeps what it has unpacked by name and version: where these
/// stay the same, it builds the packages of some earlier day.
fn build(published: &[&Package]) -> Result<(), String> {
    let root = workspace::root();
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    let packages = target.join("package");
    let folder = packages.join("unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = Vec::new();
    for member in published {
        let name = format!("{}-{}", member.name, member.version);
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(packages.join(format!("{name}.crate")));
        tar.arg("-C").arg(&folder);
        process::run(&mut tar, LIST_BOUND)?;
        names.push((member.name.as_str(), name));
    }
    let manifest = folder.join("Cargo.toml");
    fs::write(&manifest, workspace_of(&names))
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let mut command = process::cargo();
    command
        .current_dir(&folder)
        .args(["check", "--workspace", "--quiet", "--target-dir"])
        .arg(&target);
    process::run(&mut command, PACKAGE_BOUND)
}

/// The manifest of a workspace of packages, each of which finds the others beside it.
fn workspace_of(packages: &[(&str, String)]) -> String {
    let mut members = String::new();
    let mut patches = String::new();
    for (name, folder) in packages {
        members.push_str(&format!("{folder:?}, "));
        patches.push_str(&format!("{name} = {{ path = {folder:?} }}\n"));
    }
    format!("[workspace]\nmembers = [{members}]\nresolver = \"3\"\n\n[patch.crates-io]\n{patches}")
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
    fn packages_find_each_other_beside_them() {
        let packages = [("a", "a-0.1.0".to_owned()), ("b", "b-0.1.0".to_owned())];
        let manifest = workspace_of(&packages);
        assert!(manifest.contains("members = [\"a-0.1.0\", \"b-0.1.0\", ]"));
        assert!(manifest.ends_with("a = { path = \"a-0.1.0\" }\nb = { path = \"b-0.1.0\" }\n"));
    }

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
