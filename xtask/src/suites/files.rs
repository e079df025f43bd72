//! The files of a run: JSON for `record` and for whoever compares, JUnit for whoever shows.

use super::{Row, Run};
use crate::{process, workspace};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const GIT_BOUND: Duration = Duration::from_secs(30);

/// Writes `<folder>/<command>.json` and `.xml`.
pub(super) fn write(run: &Run, folder: &Path) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fail)?;
    let json = format!("{:#}\n", json(run));
    fs::write(folder.join(format!("{}.json", run.command)), json).map_err(fail)?;
    let junit = junit(run);
    fs::write(folder.join(format!("{}.xml", run.command)), junit).map_err(fail)
}

fn json(run: &Run) -> Value {
    let rows = run.rows.iter().map(|row| {
        json!({
            "suite": row.suite,
            "side": row.side,
            "engine": row.engine(),
            "passed": row.passed(),
            "total": row.total(),
            "seconds": (row.seconds() * 10.0).round() / 10.0,
            "remark": row.remark,
            "partial": row.is_partial,
            "comparison": row.is_comparison,
            "failed": failures(row),
        })
    });
    json!({
        "command": format!("cargo xtask {}", run.command),
        "rows": rows.collect::<Vec<_>>(),
        "missing": run.missing,
        "partial": run.is_partial,
        "revision": revision(),
    })
}

/// What is checked out; empty where nobody knows.
fn revision() -> String {
    let mut command = Command::new("git");
    command
        .current_dir(workspace::root())
        .args(["rev-parse", "--short", "HEAD"]);
    process::capture(&mut command, GIT_BOUND)
        .map(|captured| captured.stdout.trim().to_owned())
        .unwrap_or_default()
}

/// The names of the cases that failed.
fn failures(row: &Row) -> Vec<&str> {
    let failed = row.cases.iter().filter(|case| case.failure.is_some());
    let mut names: Vec<&str> = failed.map(|case| case.name.as_str()).collect();
    if row.miscounted().is_some() {
        names.push("the number of cases");
    }
    names
}

fn junit(run: &Run) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for row in &run.rows {
        let name = escape(&row.name());
        let failures = failures(row).len();
        let tests = row.cases.len() + usize::from(row.miscounted().is_some());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" time=\"{:.3}\">",
            row.seconds()
        );
        for case in &row.cases {
            let _ = write!(
                out,
                "    <testcase classname=\"{name}\" name=\"{}\" time=\"{:.3}\"",
                escape(&case.name),
                case.time.as_secs_f64()
            );
            match &case.failure {
                None => out.push_str("/>\n"),
                Some(why) => {
                    let _ = writeln!(out, "><failure>{}</failure></testcase>", escape(why));
                }
            }
        }
        if let Some(why) = row.miscounted() {
            let why = escape(&why);
            let _ = writeln!(
                out,
                "    <testcase classname=\"{name}\" name=\"the number of cases\"><failure>{why}</failure></testcase>"
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text for XML 1.0, which has no place for most control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(each),
            each if each.is_control() || matches!(each, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            each => out.push(each),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn run() -> Run {
        let mut row = Row::new("suite <1>", "client").expecting(3);
        row.case("good", Duration::from_millis(1500), None);
        row.case("bad", Duration::ZERO, Some("a & b\u{1b}[0m".to_owned()));
        let mut run = Run::new("some");
        run.add(row);
        run
    }

    #[test]
    fn json_has_counts_and_the_names_of_what_failed() {
        let json = json(&run());
        assert_eq!(json["rows"][0]["passed"], 1);
        assert_eq!(json["rows"][0]["total"], 3);
        assert_eq!(json["rows"][0]["failed"][0], "bad");
        assert_eq!(json["rows"][0]["failed"][1], "the number of cases");
    }

    #[test]
    fn junit_is_escaped_and_counts_what_vanished() {
        let xml = junit(&run());
        assert!(xml.contains(
            "<testsuite name=\"suite &lt;1&gt;, client\" tests=\"3\" failures=\"2\" time=\"1.500\">"
        ));
        assert!(xml.contains("<failure>a &amp; b\u{fffd}[0m</failure>"));
        assert!(xml.contains("2 cases ran, there have to be 3"));
    }
}
