//! The eight HTTP/2 cases in which a server misbehaves, of the interop test descriptions. No server for them can be run
//! any more, so ours are scripted: tests of `tests/it/http2_negative`, counted here.

use crate::engines::{Engine, Engines};
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::time::{Duration, Instant};

const SUITE: &str = "HTTP/2 negative cases, scripted by us";
const SIDE: &str = "trunkline, client";

/// By their names in the test descriptions; there is a test for each.
const CASES: &[&str] = &[
    "goaway",
    "rst_after_header",
    "rst_during_data",
    "rst_after_data",
    "ping",
    "max_streams",
    "data_frame_padding",
    "no_df_padding_sanity",
];

/// Building included.
const BOUND: Duration = Duration::from_secs(1_500);

pub(super) fn add_to(engines: Engines, run: &mut Run) {
    for engine in engines.each() {
        add(engine, run);
    }
}

fn add(engine: Engine, run: &mut Run) {
    let begin = Instant::now();
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .args(["test", "--package", "trunkline", "--test", "it", "--"])
        .arg("http2_negative::");
    engine.set(&mut command);
    println!("$ {}", process::command_line(&command));
    let on = Some(engine);
    match process::capture(&mut command, BOUND) {
        Err(error) => run.failed(SUITE, SIDE, on, error.to_string()),
        // It does not build, or does not end.
        Ok(captured) if !captured.succeeded() && !captured.stdout.contains("... FAILED") => {
            let why = format!("{}\n{}", captured.ending(), captured.stderr.trim());
            run.failed(SUITE, SIDE, on, why);
        }
        Ok(captured) => {
            let mut row = Row::new(SUITE, SIDE).on(on).expecting(CASES.len());
            for case in CASES {
                if let Some(verdict) = verdict(&captured.stdout, case) {
                    let failure = (verdict != "ok").then(|| captured.stdout.clone());
                    row.case(*case, Duration::ZERO, failure);
                }
            }
            row.took(begin.elapsed());
            run.add(row);
        }
    }
}

/// What cargo said of the test of this name; `None` if there is none.
fn verdict<'a>(text: &'a str, case: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let (_, last) = name.rsplit_once("::")?;
        (last == case).then_some(verdict)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_found_by_its_whole_name() {
        let text =
            "test http2_negative::rst_after_data ... FAILED\ntest http2_negative::ping ... ok\n";
        assert_eq!(verdict(text, "ping"), Some("ok"));
        assert_eq!(verdict(text, "rst_after_data"), Some("FAILED"));
        assert_eq!(verdict(text, "after_data"), None);
    }
}
