//! A run as JSON: what is saved beside every run, and what `docs/bench.json` has of the last one that was recorded.

use super::cell::{Cell, Target};
use super::machine::Machine;
use super::programs;
use super::results::{Results, Spread};
use super::values::{Metric, Values};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Ratios are shown to this one.
pub(super) const MEASURE: &str = "tonic";

/// What a row has of a library.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) library: String,
    pub(super) values: Values,
    /// To tonic of the same round; of a variant to the programs as they come.
    pub(super) ratios: BTreeMap<Metric, Spread>,
}

/// Whether a target was met.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// What was wanted, in words.
    pub(super) wanted: String,
    /// What it is, in words.
    pub(super) found: String,
    pub(super) is_met: bool,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) metric: Metric,
    pub(super) rounds: u64,
    pub(super) machine: Machine,
    pub(super) entries: Vec<Entry>,
    pub(super) verdicts: Vec<Verdict>,
}

impl Row {
    pub(super) fn entry(&self, library: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.library == library)
    }
}

/// The rows of a run, with what is named; ratios are to `measure`.
pub(super) fn rows(
    results: &Results,
    machine: &Machine,
    names: &[&str],
    measure: &str,
) -> Vec<Row> {
    let row = |cell: Cell| {
        let entry = |name: &&str| {
            let values = results.medians(&cell, name);
            let ratio = |metric| {
                let ratio = results.ratio(&cell, metric, name, measure)?;
                Some((metric, ratio))
            };
            (!values.is_empty()).then(|| Entry {
                library: (*name).to_owned(),
                ratios: values.keys().copied().filter_map(ratio).collect(),
                values,
            })
        };
        let verdicts = cell.targets.iter();
        Row {
            name: cell.name.to_owned(),
            title: cell.title.to_owned(),
            metric: cell.main_metric(),
            rounds: rounds(results, &cell, names),
            machine: machine.clone(),
            entries: names.iter().filter_map(entry).collect(),
            verdicts: verdicts
                .filter_map(|target| judge(results, &cell, target))
                .collect(),
        }
    };
    results.cells().into_iter().map(row).collect()
}

fn rounds(results: &Results, cell: &Cell, names: &[&str]) -> u64 {
    let most = names.iter().map(|name| results.rounds(cell, name).len());
    most.max().unwrap_or(0) as u64
}

/// `None` where what it needs was not measured.
fn judge(results: &Results, cell: &Cell, target: &Target) -> Option<Verdict> {
    let ours = || results.medians(cell, "trunkline");
    let verdict = match *target {
        Target::Ratio(metric, to, bound) => {
            let found = results.ratio(cell, metric, "trunkline", to)?.median;
            let of = programs::title(to);
            Verdict {
                wanted: format!("{} ≤ {bound:.2} of {of}", metric.title()),
                found: format!("{found:.2}"),
                is_met: found <= bound,
            }
        }
        Target::Times(metric, to, bound) => {
            let found = results.ratio(cell, metric, "trunkline", to)?.median;
            let of = programs::title(to);
            Verdict {
                wanted: format!("{} ≥ {bound:.1} × {of}", metric.title()),
                found: format!("{found:.2}"),
                is_met: found >= bound,
            }
        }
        Target::AtMost(metric, bound) => {
            let found = ours().get(&metric).copied()?;
            Verdict {
                wanted: format!("{} ≤ {}", metric.title(), metric.show(bound)),
                found: metric.show(found),
                is_met: found <= bound,
            }
        }
        Target::AtLeast(metric, bound) => {
            let found = ours().get(&metric).copied()?;
            Verdict {
                wanted: format!("{} ≥ {}", metric.title(), metric.show(bound)),
                found: metric.show(found),
                is_met: found >= bound,
            }
        }
    };
    Some(verdict)
}

pub(super) fn to_json(rows: &[Row]) -> Value {
    Value::from(rows.iter().map(row_to_json).collect::<Vec<_>>())
}

fn row_to_json(row: &Row) -> Value {
    let entries = row.entries.iter().map(|entry| {
        let mut values = Map::new();
        for (metric, value) in &entry.values {
            values.insert(metric.key().to_owned(), rounded(*value));
        }
        let mut ratios = Map::new();
        for (metric, spread) in &entry.ratios {
            let three = [spread.median, spread.least, spread.greatest].map(rounded);
            ratios.insert(metric.key().to_owned(), json!(three));
        }
        json!({"library": entry.library, "values": values, "ratios": ratios})
    });
    let verdicts = row.verdicts.iter().map(
        |verdict| json!({"wanted": verdict.wanted, "found": verdict.found, "met": verdict.is_met}),
    );
    json!({
        "cell": row.name,
        "title": row.title,
        "metric": row.metric.key(),
        "rounds": row.rounds,
        "machine": row.machine.to_json(),
        "libraries": entries.collect::<Vec<_>>(),
        "targets": verdicts.collect::<Vec<_>>(),
    })
}

/// Four digits are more than any of it is worth; what never ended is null.
fn rounded(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    let text = format!("{value:.3e}");
    json!(text.parse::<f64>().unwrap_or(value))
}

/// What `to_json` wrote.
///
/// Errors: something else.
pub(super) fn from_json(value: &Value) -> Result<Vec<Row>, String> {
    let rows = value.as_array().ok_or("no list of cells")?;
    rows.iter().map(row_from_json).collect()
}

fn row_from_json(value: &Value) -> Result<Row, String> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let name = text("cell");
    let metric = Metric::by_key(&text("metric")).ok_or_else(|| format!("{name}: no metric"))?;
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    Ok(Row {
        title: text("title"),
        metric,
        rounds: value["rounds"].as_u64().unwrap_or(0),
        machine: Machine::from_json(&value["machine"]),
        entries: list("libraries").iter().map(entry_from_json).collect(),
        verdicts: list("targets").iter().map(verdict_from_json).collect(),
        name,
    })
}

fn entry_from_json(value: &Value) -> Entry {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::INFINITY);
    let mut entry = Entry {
        library: value["library"].as_str().unwrap_or_default().to_owned(),
        ..Entry::default()
    };
    for (key, value) in value["values"].as_object().into_iter().flatten() {
        if let Some(metric) = Metric::by_key(key) {
            entry.values.insert(metric, number(value));
        }
    }
    for (key, three) in value["ratios"].as_object().into_iter().flatten() {
        if let Some(metric) = Metric::by_key(key) {
            let spread = Spread {
                median: number(&three[0]),
                least: number(&three[1]),
                greatest: number(&three[2]),
            };
            entry.ratios.insert(metric, spread);
        }
    }
    entry
}

fn verdict_from_json(value: &Value) -> Verdict {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Verdict {
        wanted: text("wanted"),
        found: text("found"),
        is_met: value["met"].as_bool().unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cells::CELLS;
    use crate::bench::results::Measurement;

    fn results() -> Results {
        let mut results = Results::default();
        for (library, cpu) in [("trunkline", 1.0), ("tonic", 5.0)] {
            results.push(Measurement {
                cell: *CELLS.first().unwrap(),
                library,
                round: 0,
                values: Values::from([(Metric::Cpu, cpu), (Metric::P99, 100.0)]),
            });
        }
        results
    }

    #[test]
    fn rows_survive_being_written_and_read() {
        let rows = rows(
            &results(),
            &Machine::default(),
            &["trunkline", "tonic"],
            MEASURE,
        );
        assert_eq!(from_json(&to_json(&rows)).unwrap(), rows);
    }

    #[test]
    fn targets_are_judged_where_their_libraries_were_measured() {
        let rows = rows(
            &results(),
            &Machine::default(),
            &["trunkline", "tonic"],
            MEASURE,
        );
        let verdicts = &rows.first().unwrap().verdicts;
        let met: Vec<bool> = verdicts.iter().map(|verdict| verdict.is_met).collect();
        // CPU is a fifth, the 99th percentile the same; grpc-go did not run.
        assert_eq!(met, [true, false]);
    }

    #[test]
    fn what_never_ended_is_null_and_stays_endless() {
        assert_eq!(rounded(f64::INFINITY), Value::Null);
        let entry = entry_from_json(&json!({"library": "x", "values": {"p99_us": null}}));
        assert_eq!(entry.values.get(&Metric::P99), Some(&f64::INFINITY));
    }
}
