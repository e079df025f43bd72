//! `soak`: the tests whose full size takes too long for every day, in full.

use crate::outcome::Outcome;
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::process::Command;
use std::time::{Duration, Instant};

/// Building included, on a small machine.
const BOUND: Duration = Duration::from_secs(3_600);

/// The tests that ask whether they soak, and those that only soaking runs: package, program, names.
const TESTS: &[(&str, &str, &[&str])] = &[
    (
        "trunkline",
        "it",
        &[
            "answered_and_then_cancelled_calls",
            "hostile::",
            "simulation::",
            "tls::slow::",
            "windows::",
            "wire::blocks::",
            "wire::cut::",
        ],
    ),
    // Each with one more switch between threads.
    ("trunkline-loom", "orders", &[]),
    (
        "trunkline-codegen",
        "incremental",
        &[
            "many_packages_are_written_once",
            "cargo_builds_a_large_tree",
        ],
    ),
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Outcome::Failed(format!("soak takes no arguments, but got {word:?}"));
    }
    let mut run = Run::new("soak");
    for (package, program, names) in TESTS {
        let mut command = process::cargo();
        command
            .current_dir(workspace::root())
            .env("TRUNKLINE_SOAK", "1")
            .args(["test", "--package", package, "--test", program, "--"])
            .arg("--include-ignored")
            .args(*names);
        soak(&mut run, &mut command, package, program, names);
    }
    run.finish()
}

fn soak(run: &mut Run, command: &mut Command, package: &str, program: &str, names: &[&str]) {
    let side = format!("{package}, {program}");
    let mut row = Row::new("tests in full", side.as_str());
    let begin = Instant::now();
    println!("$ {}", process::command_line(command));
    let mut text = String::new();
    let ended = process::lines(command, BOUND, |line| {
        println!("{line}");
        text.push_str(line);
        text.push('\n');
    });
    let verdicts = verdicts(&text);
    for (name, verdict) in &verdicts {
        let failure = (*verdict != "ok").then(|| (*verdict).to_owned());
        row.case(*name, Duration::ZERO, failure);
    }
    for part in of_none(names, &verdicts) {
        let why = "no test has this in its name".to_owned();
        row.case(part, Duration::ZERO, Some(why));
    }
    row.took(begin.elapsed());
    run.add(row);
    match ended {
        Err(error) => run.failed("tests in full", &side, error.to_string()),
        Ok(ended) => {
            eprint!("{}", ended.stderr);
            if !ended.succeeded() {
                run.failed("tests in full", &side, ended.ending());
            }
        }
    }
}

/// The tests that cargo says have ended, and how.
fn verdicts(text: &str) -> Vec<(&str, &str)> {
    let line = |line| str::strip_prefix(line, "test ")?.split_once(" ... ");
    let ended = text.lines().filter_map(line);
    ended
        .filter(|(name, _)| !name.starts_with("result:"))
        .collect()
}

/// The parts of names that no test has, or has any more.
fn of_none<'a>(parts: &[&'a str], verdicts: &[(&str, &str)]) -> Vec<&'a str> {
    let is_in_none = |part: &&str| !verdicts.iter().any(|(name, _)| name.contains(part));
    parts.iter().copied().filter(is_in_none).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_that_ended_are_counted() {
        let text = "running 2 tests\ntest a::b ... ok\ntest a::c has been running for over 60 seconds\ntest a::c ... FAILED\ntest result: FAILED. 1 passed\n";
        assert_eq!(verdicts(text), [("a::b", "ok"), ("a::c", "FAILED")]);
    }

    #[test]
    fn a_name_that_no_test_has_any_more_is_missed() {
        let verdicts = [("wire::cut::everywhere", "ok")];
        assert_eq!(of_none(&["gone", "wire::cut::"], &verdicts), ["gone"]);
        assert_eq!(of_none(&[], &verdicts), [""; 0]);
    }
}
