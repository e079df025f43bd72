//! `soak`: the tests whose full size takes too long for every day, in full.

use crate::engines::{Engine, Engines};
use crate::outcome::Outcome;
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::time::{Duration, Instant};

/// Building included, on a small machine.
const BOUND: Duration = Duration::from_secs(3_600);

/// How long the mixed load lasts, where nobody says otherwise.
const MINUTES: u64 = 30;

/// The tests that ask whether they soak, and those that only soaking runs: package, program, names.
const TESTS: &[Tests] = &[
    Tests {
        package: "trunkline",
        program: "it",
        names: &[
            "answered_and_then_cancelled_calls",
            "hostile::",
            "simulation::",
            "tls::slow::",
            "windows::",
            "wire::blocks::",
            "wire::cut::",
        ],
        has_engine: true,
    },
    // By itself: its memory is measured.
    Tests {
        package: "trunkline",
        program: "it",
        names: &["mixed_load::"],
        has_engine: true,
    },
    // Each with one more switch between threads.
    Tests {
        package: "trunkline-loom",
        program: "orders",
        names: &[],
        has_engine: false,
    },
    Tests {
        package: "trunkline-codegen",
        program: "incremental",
        names: &[
            "many_packages_are_written_once",
            "cargo_builds_a_large_tree",
        ],
        has_engine: false,
    },
];

struct Tests {
    package: &'static str,
    program: &'static str,
    /// All if empty.
    names: &'static [&'static str],
    /// Whether it opens connections.
    has_engine: bool,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (engines, words) = match Engines::take(arguments) {
        Ok(taken) => taken,
        Err(why) => return Outcome::Failed(why),
    };
    let minutes = match minutes(&words) {
        Ok(minutes) => minutes,
        Err(why) => return Outcome::Failed(why),
    };
    let is_partial = engines.is_chosen() || minutes < MINUTES;
    let mut run = Run::new("soak").partial(is_partial);
    for tests in TESTS {
        if tests.has_engine {
            for engine in engines.each() {
                soak(&mut run, tests, Some(engine), minutes);
            }
        } else if !engines.is_chosen() {
            soak(&mut run, tests, None, minutes);
        }
    }
    run.finish()
}

/// The minutes that the mixed load is to last.
///
/// Errors: words that mean nothing here.
fn minutes(words: &[String]) -> Result<u64, String> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Ok(MINUTES),
        ["--minutes", number] => match number.parse() {
            Ok(minutes @ 1..) => Ok(minutes),
            _ => Err(format!("--minutes {number}: whole minutes, at least one")),
        },
        [word, ..] => Err(format!("soak takes no such argument: {word:?}")),
    }
}

fn soak(run: &mut Run, tests: &Tests, engine: Option<Engine>, minutes: u64) {
    let Tests {
        package,
        program,
        names,
        ..
    } = tests;
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .env("TRUNKLINE_SOAK", "1")
        .env("TRUNKLINE_SOAK_MINUTES", minutes.to_string())
        .args(["test", "--package", package, "--test", program, "--"])
        .arg("--include-ignored")
        .args(*names);
    if let Some(engine) = engine {
        engine.set(&mut command);
    }
    let side = format!("{package}, {program}");
    let mut row = Row::new("tests in full", side.as_str()).on(engine);
    let begin = Instant::now();
    println!("$ {}", process::command_line(&command));
    let mut text = String::new();
    let bound = BOUND + Duration::from_secs(60 * minutes);
    let ended = process::lines(&mut command, bound, |line| {
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
        Err(error) => run.failed("tests in full", &side, engine, error.to_string()),
        Ok(ended) => {
            eprint!("{}", ended.stderr);
            if !ended.succeeded() {
                run.failed("tests in full", &side, engine, ended.ending());
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
    fn the_mixed_load_lasts_as_long_as_is_said() {
        let minutes = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            minutes(&words)
        };
        assert_eq!(minutes(&[]), Ok(30));
        assert_eq!(minutes(&["--minutes", "2"]), Ok(2));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["--hours", "1"]] {
            assert!(minutes(wrong).is_err(), "{wrong:?}");
        }
    }

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
