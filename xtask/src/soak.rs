//! `soak`: the tests whose full size takes too long for every day, in full.

use crate::outcome::Outcome;
use crate::{process, workspace};
use std::time::Duration;

/// Building included, on a small machine.
const BOUND: Duration = Duration::from_secs(3_600);

/// The tests that ask whether they soak.
const TESTS: &[&str] = &["answered_and_then_cancelled_calls"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Outcome::Failed(format!("soak takes no arguments, but got {word:?}"));
    }
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .env("TRUNKLINE_SOAK", "1")
        .args(["test", "--package", "trunkline", "--test", "it", "--"])
        .args(TESTS);
    Outcome::from_result(process::run(&mut command, BOUND))
}
