//! `ci`: the gates in order, all of them even when one fails, and a summary whose last line counts them.

use crate::conformance;
use crate::outcome::Outcome;
use crate::report::Table;
use crate::{
    bench, consumers, deny, docs, features, fuzz, interop, lint, package, plugin, tidy, tools,
};
use std::time::{Duration, Instant};

/// Name, function, arguments.
type Gate = (
    &'static str,
    fn(&[String]) -> Outcome,
    &'static [&'static str],
);

/// The cheap ones first. The tests are not here: `.ci/run` runs `cargo xtask test` before.
const GATES: &[Gate] = &[
    ("fmt", lint::format, &[]),
    ("tidy", tidy::run, &[]),
    ("deny", deny::run, &[]),
    ("clippy", lint::clippy, &[]),
    ("features", features::run, &[]),
    ("docs", docs::run, &[]),
    ("package", package::run, &[]),
    ("consumers", consumers::run, &[]),
    ("plugin", plugin::run, &[]),
    ("conformance", conformance::run, &[]),
    ("interop", interop::run, &[]),
    ("tools", tools::run, &[]),
    ("fuzz --smoke", fuzz::run, &["--smoke"]),
    ("bench --smoke", bench::run, &["--smoke"]),
    ("bench gate", bench::run, &["gate"]),
];

pub(crate) fn run(_: &[String]) -> Outcome {
    let mut results = Vec::new();
    for (name, gate, arguments) in GATES {
        println!("\n== {name}");
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let begin = Instant::now();
        let outcome = gate(&arguments);
        results.push((*name, outcome, begin.elapsed()));
    }
    println!("\n{}", summary(&results));
    let failed: Vec<&str> = results
        .iter()
        .filter(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
        .map(|(name, _, _)| *name)
        .collect();
    if failed.is_empty() {
        Outcome::Passed
    } else {
        // The count has been printed; ending here keeps it the last line.
        std::process::exit(1);
    }
}

fn summary(results: &[(&str, Outcome, Duration)]) -> String {
    let mut table = Table::new(&["gate", "result", "seconds", "remark"]);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, outcome, time) in results {
        let (result, remark) = match outcome {
            Outcome::Passed => {
                passed += 1;
                ("passed", "")
            }
            Outcome::Failed(why) => {
                failed += 1;
                ("FAILED", why.lines().next().unwrap_or(""))
            }
            Outcome::Skipped(why) => {
                skipped += 1;
                ("skipped", why.as_str())
            }
        };
        table.row(vec![
            (*name).to_owned(),
            result.to_owned(),
            format!("{:.1}", time.as_secs_f64()),
            remark.to_owned(),
        ]);
    }
    let tail = if skipped > 0 {
        format!(", {skipped} skipped")
    } else {
        String::new()
    };
    format!("{}\n{passed} passed, {failed} failed{tail}", table.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_gates() {
        let results = [
            ("fmt", Outcome::Passed, Duration::from_secs(1)),
            (
                "docs",
                Outcome::Failed("broken link\nmore".to_owned()),
                Duration::from_secs(2),
            ),
            (
                "deny",
                Outcome::Skipped("no database".to_owned()),
                Duration::ZERO,
            ),
        ];
        let text = summary(&results);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
        assert!(text.contains("broken link") && !text.contains("more"));
    }
}
