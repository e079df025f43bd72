//! `bench gate`: what a unary call costs in allocations and instructions is what was recorded. Never a time: those are the
//! machine's.

use super::cell::Side;
use super::counts;
use super::machine::Machine;
use super::programs::{LIBRARIES, Library, Programs};
use super::values::{Metric, Values};
use crate::outcome::Outcome;
use crate::report::Table;
use crate::workspace;
use serde_json::{Map, Value, json};
use std::fs;

const RECORD: &str = "xtask/bench/counts.json";

/// Of instructions: other code of the same compiler is laid out in another way.
const TOLERANCE: f64 = 0.05;

/// What is counted of ours: both engines, both sides.
const OURS: &[&str] = &["trunkline", "trunkline-h2"];
const SIDES: &[(Side, &str)] = &[(Side::Server, "server"), (Side::Client, "client")];
const METRICS: &[Metric] = &[
    Metric::Allocations,
    Metric::AllocatedBytes,
    Metric::Instructions,
];

/// One side of one engine.
#[derive(Clone, Debug, PartialEq)]
struct Count {
    /// `trunkline server`
    name: String,
    values: Values,
}

/// How a number compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Same,
    /// Fewer: has to be recorded, so that it stays so.
    Better,
    Worse,
    /// Of another compiler or CPU.
    Incomparable,
}

pub(super) fn run(arguments: &[String]) -> Outcome {
    let is_recording = match arguments {
        [] => false,
        [only] if only == "--record" => true,
        _ => return Outcome::Failed("bench gate takes nothing but --record".to_owned()),
    };
    if !counts::can_count() {
        return Outcome::missing_tool("valgrind, which counts allocations and instructions");
    }
    Outcome::from_result(gate(is_recording))
}

fn gate(is_recording: bool) -> Result<(), String> {
    let programs = Programs::build(false)?;
    let mut found = Vec::new();
    for library in LIBRARIES.iter().filter(|it| OURS.contains(&it.name)) {
        for (side, role) in SIDES {
            found.push(count(&programs, library, *side, role)?);
        }
    }
    let machine = Machine::here();
    let place = workspace::root().join(RECORD);
    if is_recording {
        let text = format!("{:#}\n", to_json(&found, &machine));
        fs::write(&place, text).map_err(|error| format!("{RECORD}: {error}"))?;
        println!("{}\n{RECORD} is as counted", table(&found, None, &machine));
        return Ok(());
    }
    let text = fs::read_to_string(&place)
        .map_err(|error| format!("{RECORD}: {error}; `cargo xtask bench gate --record`"))?;
    let recorded: Value =
        serde_json::from_str(&text).map_err(|error| format!("{RECORD}: {error}"))?;
    println!("{}", table(&found, Some(&recorded), &machine));
    let wrong = wrong(&found, &recorded, &machine);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{}; if it has to be so: `cargo xtask bench gate --record`, and say why",
            wrong.join("; ")
        ))
    }
}

fn count(programs: &Programs, library: &Library, side: Side, role: &str) -> Result<Count, String> {
    println!("counting {}, {role}", library.title);
    let mut values = counts::exact(programs, library, side)?;
    for metric in [Metric::Allocations, Metric::AllocatedBytes] {
        // Tables that grow once in some thousand calls are no call's.
        if let Some(value) = values.get_mut(&metric) {
            *value = value.round();
        }
    }
    Ok(Count {
        name: format!("{} {role}", library.name),
        values,
    })
}

fn to_json(counts: &[Count], machine: &Machine) -> Value {
    let mut all = Map::new();
    for count in counts {
        let pairs = METRICS.iter().filter_map(|metric| {
            let value = count.values.get(metric)?;
            Some((metric.key().to_owned(), json!(value)))
        });
        all.insert(count.name.clone(), Value::Object(pairs.collect()));
    }
    // The rest of a machine has no say here.
    json!({"cpu": machine.cpu, "rustc": machine.rustc, "per_call": all})
}

fn recorded_value(recorded: &Value, name: &str, metric: Metric) -> Option<f64> {
    recorded
        .get("per_call")?
        .get(name)?
        .get(metric.key())?
        .as_f64()
}

fn compare(metric: Metric, found: f64, recorded: f64, is_comparable: bool) -> Comparison {
    let change = found / recorded - 1.0;
    match metric {
        Metric::Allocations if found > recorded => Comparison::Worse,
        Metric::Allocations if found < recorded => Comparison::Better,
        Metric::Allocations => Comparison::Same,
        Metric::Instructions if !is_comparable => Comparison::Incomparable,
        _ if change > TOLERANCE => Comparison::Worse,
        _ if change < -TOLERANCE => Comparison::Better,
        _ => Comparison::Same,
    }
}

/// Everything that is not as recorded, in words. What is better has to be recorded too.
fn wrong(found: &[Count], recorded: &Value, machine: &Machine) -> Vec<String> {
    let is_comparable = machine.counts_like(&Machine::from_json(recorded));
    let mut wrong = Vec::new();
    for count in found {
        for metric in METRICS {
            let Some(value) = count.values.get(metric) else {
                continue;
            };
            let Some(before) = recorded_value(recorded, &count.name, *metric) else {
                wrong.push(format!("{}: no {} recorded", count.name, metric.title()));
                continue;
            };
            let word = match compare(*metric, *value, before, is_comparable) {
                Comparison::Same | Comparison::Incomparable => continue,
                Comparison::Better => "fewer, which is not recorded",
                Comparison::Worse => "more",
            };
            wrong.push(format!(
                "{}: {} {} where {} are recorded: {word}",
                count.name,
                metric.show(*value),
                metric.title(),
                metric.show(before)
            ));
        }
    }
    wrong
}

fn table(found: &[Count], recorded: Option<&Value>, machine: &Machine) -> String {
    let mut table = Table::new(&["", "per call", "found", "recorded", ""]);
    let is_comparable =
        recorded.is_none_or(|recorded| machine.counts_like(&Machine::from_json(recorded)));
    for count in found {
        for metric in METRICS {
            let Some(value) = count.values.get(metric) else {
                continue;
            };
            let before = recorded.and_then(|it| recorded_value(it, &count.name, *metric));
            let remark = match *metric {
                Metric::Instructions if !is_comparable => "another compiler or CPU: only shown",
                _ => "",
            };
            table.row(vec![
                count.name.clone(),
                metric.title().to_owned(),
                metric.show(*value),
                before.map_or_else(String::new, |before| metric.show(before)),
                remark.to_owned(),
            ]);
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(allocations: f64, instructions: f64) -> Vec<Count> {
        vec![Count {
            name: "trunkline server".to_owned(),
            values: Values::from([
                (Metric::Allocations, allocations),
                (Metric::AllocatedBytes, 1_000.0),
                (Metric::Instructions, instructions),
            ]),
        }]
    }

    fn machine(rustc: &str) -> Machine {
        Machine {
            rustc: rustc.to_owned(),
            ..Machine::default()
        }
    }

    #[test]
    fn an_allocation_more_or_less_is_not_as_recorded() {
        let recorded = to_json(&counted(9.0, 10_000.0), &machine("1"));
        for (allocations, count) in [(9.0, 0), (10.0, 1), (8.0, 1)] {
            let wrong = wrong(&counted(allocations, 10_000.0), &recorded, &machine("1"));
            assert_eq!(wrong.len(), count, "{wrong:?}");
        }
    }

    #[test]
    fn instructions_are_compared_where_compiler_and_cpu_are_the_same() {
        let recorded = to_json(&counted(9.0, 10_000.0), &machine("1"));
        let wrong = |found, rustc| wrong(&counted(9.0, found), &recorded, &machine(rustc)).len();
        assert_eq!(wrong(10_400.0, "1"), 0);
        assert_eq!(wrong(10_600.0, "1"), 1);
        assert_eq!(wrong(10_600.0, "2"), 0);
    }

    #[test]
    fn what_nobody_recorded_is_told() {
        let recorded = to_json(&[], &machine("1"));
        assert_eq!(wrong(&counted(9.0, 1.0), &recorded, &machine("1")).len(), 3);
    }
}
