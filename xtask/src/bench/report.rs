//! The tables for the screen.

use super::programs;
use super::record::{Entry, Row};
use super::values::Metric;
use crate::report::Table;

/// Beyond this the same cell of two runs differs by more than the noise of most.
const NOTABLE: f64 = 0.05;

/// Medians over the rounds; a ratio with the least and the greatest of its rounds behind it.
pub(super) fn render(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        out.push_str(&format!("{} ({})\n", row.title, row.name));
        out.push_str(&table(row));
        for verdict in &row.verdicts {
            let word = if verdict.is_met { "met   " } else { "MISSED" };
            out.push_str(&format!("{word}  {}: {}\n", verdict.wanted, verdict.found));
        }
        out.push('\n');
    }
    let verdicts = rows.iter().flat_map(|row| &row.verdicts);
    let (met, missed): (Vec<_>, Vec<_>) = verdicts.partition(|verdict| verdict.is_met);
    out.push_str(&format!(
        "{} targets met, {} missed\n",
        met.len(),
        missed.len()
    ));
    out
}

fn table(row: &Row) -> String {
    let metrics: Vec<Metric> = Metric::all()
        .filter(|metric| row.entries.iter().any(|it| it.values.contains_key(metric)))
        .collect();
    let mut heading = vec!["", "to tonic", "(min-max)"];
    heading.extend(metrics.iter().map(|metric| metric.title()));
    let mut table = Table::new(&heading);
    for entry in &row.entries {
        let mut cells = vec![programs::title(&entry.library).to_owned()];
        cells.extend(ratio(entry, row.metric));
        let show = |metric: &Metric| match entry.values.get(metric) {
            Some(value) if value.is_infinite() => "stalls".to_owned(),
            Some(value) => metric.show(*value),
            None => "-".to_owned(),
        };
        cells.extend(metrics.iter().map(show));
        table.row(cells);
    }
    table.render()
}

/// The ratio and its spread.
fn ratio(entry: &Entry, metric: Metric) -> [String; 2] {
    match entry.ratios.get(&metric) {
        Some(ratio) if ratio.median.is_finite() => [
            format!("{:.2}", ratio.median),
            format!("({:.2}-{:.2})", ratio.least, ratio.greatest),
        ],
        _ => ["-".to_owned(), String::new()],
    }
}

/// What has changed since another run; empty where nothing has, or nothing is in both.
pub(super) fn changes(rows: &[Row], before: &[Row]) -> String {
    let mut table = Table::new(&["cell", "", "", "before", "now", "change"]);
    let mut is_empty = true;
    for row in rows {
        let Some(old) = before.iter().find(|old| old.name == row.name) else {
            continue;
        };
        for entry in &row.entries {
            let values = old.entry(&entry.library).map(|old| &old.values);
            let old = values.and_then(|values| values.get(&row.metric));
            let (Some(old), Some(new)) = (old, entry.values.get(&row.metric)) else {
                continue;
            };
            let change = new / old - 1.0;
            if !change.is_finite() || change.abs() < NOTABLE {
                continue;
            }
            is_empty = false;
            let is_better = (change < 0.0) == row.metric.less_is_better();
            table.row(vec![
                row.name.clone(),
                programs::title(&entry.library).to_owned(),
                row.metric.title().to_owned(),
                row.metric.show(*old),
                row.metric.show(*new),
                format!(
                    "{:+.0} %{}",
                    change * 100.0,
                    if is_better { "" } else { "  worse" }
                ),
            ]);
        }
    }
    if is_empty {
        String::new()
    } else {
        table.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Machine;
    use crate::bench::values::Values;

    fn row(cpu: f64) -> Row {
        Row {
            name: "a-cell".to_owned(),
            title: "A cell".to_owned(),
            metric: Metric::Cpu,
            rounds: 1,
            machine: Machine::default(),
            entries: vec![Entry {
                library: "tonic".to_owned(),
                values: Values::from([(Metric::Cpu, cpu)]),
                ..Entry::default()
            }],
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn only_notable_changes_are_told_and_whether_they_are_for_the_worse() {
        assert_eq!(changes(&[row(1.02)], &[row(1.0)]), "");
        let worse = changes(&[row(1.2)], &[row(1.0)]);
        assert!(worse.contains("+20 %  worse"), "{worse}");
        let better = changes(&[row(0.8)], &[row(1.0)]);
        assert!(better.contains("-20 %\n"), "{better}");
    }

    #[test]
    fn what_never_ended_stalls() {
        assert!(render(&[row(f64::INFINITY)]).contains("stalls"));
    }
}
