//! `soak`: the tests whose full size takes too long for every day, in full.

use crate::outcome::Outcome;
use crate::{process, workspace};
use std::time::Duration;

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
    for (package, program, names) in TESTS {
        let mut command = process::cargo();
        command
            .current_dir(workspace::root())
            .env("TRUNKLINE_SOAK", "1")
            .args(["test", "--package", package, "--test", program, "--"])
            .arg("--include-ignored")
            .args(*names);
        if let Err(why) = process::run(&mut command, BOUND) {
            return Outcome::Failed(why);
        }
    }
    Outcome::Passed
}
