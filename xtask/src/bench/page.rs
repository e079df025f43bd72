//! `bench record`: keeps what the last full runs found in `docs/bench.json`, and makes the tables and the plot of it that
//! documents show.

use super::programs::LIBRARIES;
use super::record::{self, Entry, Row};
use super::values::Metric;
use super::{plot, saved, tune};
use crate::workspace;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is recorded.
const RECORD: &str = "docs/bench.json";
const PLOT: &str = "docs/bench.svg";

/// Where the tables are shown, between the two marks.
const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- bench: written by `cargo xtask bench record` -->";
const END: &str = "<!-- /bench -->";
const BEGIN_TUNING: &str = "<!-- tuning: written by `cargo xtask bench record` -->";
const END_TUNING: &str = "<!-- /tuning -->";

/// What is recorded: the cells, and what choices of a program's author do.
#[derive(Debug, Default)]
struct Recorded {
    cells: Vec<Row>,
    tuning: Vec<Row>,
}

/// Puts the cells of the last full run in the places of the old ones; the same for the last run of `tune`.
///
/// Errors: there is no such run, or a file that is not as it should be.
pub(super) fn record() -> Result<(), String> {
    let cells = saved::last_full(saved::CELLS)?;
    let tuning = saved::last_full(saved::TUNING)?;
    if cells.is_none() && tuning.is_none() {
        return Err(
            "no full run is saved in target/bench: `cargo xtask bench` makes one; a quick one, or one with few libraries, does not count"
                .to_owned(),
        );
    }
    let root = workspace::root();
    let mut recorded = read(&root)?.unwrap_or_default();
    if let Some((place, rows)) = cells {
        println!("cells of {}", place.display());
        recorded.cells = in_order(merged(recorded.cells, rows));
    }
    if let Some((place, rows)) = tuning {
        println!("tuning of {}", place.display());
        recorded.tuning = merged(recorded.tuning, rows);
    }
    let write = |file: &str, text: String| {
        fs::write(root.join(file), text).map_err(|error| format!("{file}: {error}"))
    };
    let document = json!({
        "cells": record::to_json(&recorded.cells),
        "tuning": record::to_json(&recorded.tuning),
    });
    write(RECORD, format!("{document:#}\n"))?;
    write(PLOT, plot::draw(&recorded.cells))?;
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    write(PAGE, fresh_page(&page, &recorded).ok_or_else(no_place)?)?;
    println!("{RECORD}, {PLOT} and {PAGE} are as these runs");
    Ok(())
}

fn no_place() -> String {
    format!("{PAGE}: no line {BEGIN:?} followed by {END:?}, or the same for tuning")
}

/// The pages that are not those of the record, each with what is wrong with it.
pub(crate) fn stale(root: &Path) -> Vec<(&'static str, String)> {
    let recorded = match read(root) {
        Ok(Some(recorded)) => recorded,
        Ok(None) => return Vec::new(),
        Err(why) => return vec![(RECORD, why)],
    };
    let text = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let why = |what| format!("{what} not that of {RECORD}: `cargo xtask bench record`");
    let mut stale = Vec::new();
    let page = text(PAGE);
    match fresh_page(&page, &recorded) {
        Some(fresh) if fresh == page => {}
        Some(_) => stale.push((PAGE, why("a table is"))),
        None => stale.push((PAGE, no_place())),
    }
    if text(PLOT) != plot::draw(&recorded.cells) {
        stale.push((PLOT, why("the plot is")));
    }
    stale
}

fn read(root: &Path) -> Result<Option<Recorded>, String> {
    let Ok(text) = fs::read_to_string(root.join(RECORD)) else {
        return Ok(None);
    };
    let fail = |why: String| format!("{RECORD}: {why}");
    let value: Value = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let rows = |key: &str| record::from_json(value.get(key).unwrap_or(&Value::Null)).map_err(fail);
    Ok(Some(Recorded {
        cells: rows("cells")?,
        tuning: rows("tuning")?,
    }))
}

/// The page with what is recorded; what is not leaves its place as it is.
fn fresh_page(page: &str, recorded: &Recorded) -> Option<String> {
    let page = between(page, BEGIN, END, &tables(&recorded.cells))?;
    if recorded.tuning.is_empty() {
        return Some(page);
    }
    between(
        &page,
        BEGIN_TUNING,
        END_TUNING,
        &tune::table(&recorded.tuning),
    )
}

fn merged(mut old: Vec<Row>, fresh: Vec<Row>) -> Vec<Row> {
    for row in fresh {
        match old.iter_mut().find(|old| old.name == row.name) {
            Some(old) => *old = row,
            None => old.push(row),
        }
    }
    old
}

/// As the bench has them; cells that it no longer has are gone.
fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    let cells = super::cells::CELLS.iter();
    cells
        .filter_map(|cell| {
            let place = rows.iter().position(|row| row.name == cell.name)?;
            Some(rows.remove(place))
        })
        .collect()
}

/// The rows as Markdown.
fn tables(rows: &[Row]) -> String {
    let mut out = String::new();
    let groups: [(&str, &[Metric]); 5] = [
        (
            "CPU for each call or message, in µs; in brackets, to tonic",
            &[Metric::Cpu],
        ),
        ("Calls or messages per second", &[Metric::PerSecond]),
        ("99th percentile, in µs", &[Metric::P99]),
        (
            "Counted, for each call",
            &[
                Metric::Instructions,
                Metric::Allocations,
                Metric::AllocatedBytes,
                Metric::SystemCalls,
            ],
        ),
        (
            "Memory, a long link, readers that do not read",
            &[
                Metric::MemoryEach,
                Metric::Kept,
                Metric::MegabytesPerSecond,
                Metric::TimesAlone,
            ],
        ),
    ];
    for (heading, metrics) in groups {
        table(&mut out, heading, metrics, rows);
    }
    verdicts(&mut out, rows);
    machines(&mut out, rows);
    out
}

fn table(out: &mut String, heading: &str, metrics: &[Metric], rows: &[Row]) {
    let mut lines = String::new();
    for row in rows {
        for metric in metrics {
            // Peers of the same cell, of which one at least has the number.
            let cells = LIBRARIES.iter().map(|library| {
                let entry = row.entry(library.name);
                entry.and_then(|entry| cell(entry, *metric))
            });
            let cells: Vec<Option<String>> = cells.collect();
            // Of streams that nobody reads, the 99th percentile is that of other calls.
            let is_foreign = *metric == Metric::P99 && row.metric == Metric::TimesAlone;
            if cells.iter().all(Option::is_none) || is_foreign {
                continue;
            }
            let title = if metrics.len() > 1 {
                format!("{}, {}", row.title, metric.title())
            } else {
                row.title.clone()
            };
            let _ = write!(lines, "| {title} |");
            for cell in cells {
                let _ = write!(lines, " {} |", cell.unwrap_or_default());
            }
            lines.push('\n');
        }
    }
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "**{heading}**\n\n| |");
    for library in LIBRARIES {
        let _ = write!(out, " {} |", library.title);
    }
    let _ = writeln!(out, "\n|---|{}", "---|".repeat(LIBRARIES.len()));
    out.push_str(&lines);
    out.push('\n');
}

fn cell(entry: &Entry, metric: Metric) -> Option<String> {
    let value = *entry.values.get(&metric)?;
    if value.is_infinite() {
        return Some("stalls".to_owned());
    }
    let shown = metric.show(value);
    let ratio = entry.ratios.get(&metric);
    match ratio {
        Some(ratio) if metric == Metric::Cpu && entry.library != record::MEASURE => {
            Some(format!("{shown} ({:.2})", ratio.median))
        }
        _ => Some(shown),
    }
}

fn verdicts(out: &mut String, rows: &[Row]) {
    out.push_str(
        "**What trunkline set out to reach**\n\n| | wanted | found | |\n|---|---|---|---|\n",
    );
    for row in rows {
        for verdict in &row.verdicts {
            let word = if verdict.is_met { "met" } else { "**missed**" };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {word} |",
                row.title, verdict.wanted, verdict.found
            );
        }
    }
    out.push('\n');
}

/// What the rows were measured with: once for those that have it in common.
fn machines(out: &mut String, rows: &[Row]) {
    let mut known: Vec<String> = Vec::new();
    for row in rows {
        let machine = &row.machine;
        let line = format!(
            "{}, {} CPUs, Linux {}, {}; {}; revision {}",
            machine.cpu,
            machine.cpus,
            machine.kernel,
            machine.rustc,
            machine.peers,
            machine.revision
        );
        if !known.contains(&line) {
            known.push(line);
        }
    }
    for line in known {
        let _ = writeln!(out, "Measured on: {line}.");
    }
}

/// The page with this between its marks; `None` if it has none.
fn between(page: &str, begin: &str, end: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Machine;
    use crate::bench::record::Verdict;
    use crate::bench::values::Values;

    fn row() -> Row {
        Row {
            name: "link".to_owned(),
            title: "a link".to_owned(),
            metric: Metric::MegabytesPerSecond,
            rounds: 1,
            machine: Machine::default(),
            entries: vec![Entry {
                library: "h2".to_owned(),
                values: Values::from([(Metric::MegabytesPerSecond, 12.34)]),
                ..Entry::default()
            }],
            verdicts: vec![Verdict {
                wanted: "MB/s ≥ 80".to_owned(),
                found: "12.3".to_owned(),
                is_met: false,
            }],
        }
    }

    #[test]
    fn losses_are_shown_as_well() {
        let tables = tables(&[row()]);
        assert!(
            tables.contains("| a link, MB/s |  |  | 12.3 |  |  |  |"),
            "{tables}"
        );
        assert!(tables.contains("| a link | MB/s ≥ 80 | 12.3 | **missed** |"));
        assert!(
            !tables.contains("CPU for each"),
            "nothing of that was measured"
        );
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter");
        let fresh = between(&page, BEGIN, END, "new\n").unwrap();
        assert_eq!(fresh, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter"));
        assert_eq!(between(&fresh, BEGIN, END, "new\n"), Some(fresh.clone()));
        assert_eq!(between("nothing", BEGIN, END, "new"), None);
    }
}
