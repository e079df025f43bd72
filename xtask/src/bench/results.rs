//! What was measured, and the medians of it.

use super::options::{Cell, Side};
use serde_json::Value;

/// One client's line of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) calls: u64,
    pub(super) seconds: f64,
    pub(super) client_cpu_ns: f64,
    pub(super) server_cpu_ns: f64,
    pub(super) p50_ns: f64,
    pub(super) p99_ns: f64,
}

impl Numbers {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line.trim()).ok()?;
        let number = |key| value.get(key).and_then(Value::as_f64);
        Some(Self {
            calls: value.get("calls").and_then(Value::as_u64)?,
            seconds: number("seconds")?,
            client_cpu_ns: number("client_cpu_ns")?,
            server_cpu_ns: number("server_cpu_ns")?,
            p50_ns: number("p50_ns")?,
            p99_ns: number("p99_ns")?,
        })
    }
}

/// One program in one round.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) side: Side,
    pub(super) cell: Cell,
    pub(super) library: &'static str,
    pub(super) round: usize,
    pub(super) numbers: Numbers,
}

impl Measurement {
    /// Microseconds of the measured process, user and kernel, for each call.
    pub(super) fn cpu_per_call(&self) -> f64 {
        let nanos = match self.side {
            Side::Server => self.numbers.server_cpu_ns,
            Side::Client => self.numbers.client_cpu_ns,
        };
        nanos / 1_000.0 / self.calls()
    }

    pub(super) fn calls_per_second(&self) -> f64 {
        self.calls() / self.numbers.seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 calls")]
    fn calls(&self) -> f64 {
        self.numbers.calls as f64
    }
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    all: Vec<Measurement>,
}

impl Results {
    pub(super) fn extend(&mut self, measurements: Vec<Measurement>) {
        self.all.extend(measurements);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Measurement> {
        self.all.iter()
    }

    /// The pairs of side and cell, in the order they were measured.
    pub(super) fn groups(&self) -> Vec<(Side, Cell)> {
        let mut groups = Vec::new();
        for measurement in &self.all {
            let group = (measurement.side, measurement.cell.clone());
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// One library's rounds of a group, by round.
    pub(super) fn rounds(&self, side: Side, cell: &Cell, library: &str) -> Vec<&Measurement> {
        let mut rounds: Vec<&Measurement> = self
            .all
            .iter()
            .filter(|found| found.side == side && found.cell == *cell && found.library == library)
            .collect();
        rounds.sort_by_key(|found| found.round);
        rounds
    }

    /// CPU per call of one library to that of another, round by round.
    pub(super) fn ratios(&self, side: Side, cell: &Cell, library: &str, to: &str) -> Vec<f64> {
        let upper = self.rounds(side, cell, library);
        let lower = self.rounds(side, cell, to);
        upper
            .iter()
            .zip(&lower)
            .map(|(upper, lower)| upper.cpu_per_call() / lower.cpu_per_call())
            .collect()
    }
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.get(middle),
        middle.checked_sub(1).and_then(|before| values.get(before)),
    ) {
        (Some(&upper), Some(&lower)) if values.len().is_multiple_of(2) => {
            f64::midpoint(lower, upper)
        }
        (Some(&middle), _) => middle,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let cell = Cell {
            payload_bytes: 64,
            connections: 1,
            in_flight: 1,
        };
        let measurement = |library, round, server_cpu_ns| Measurement {
            side: Side::Server,
            cell: cell.clone(),
            library,
            round,
            numbers: Numbers {
                calls: 1_000,
                server_cpu_ns,
                ..Numbers::default()
            },
        };
        let mut results = Results::default();
        // The order of running rotates; the pairs must not.
        results.extend(vec![
            measurement("a", 0, 1e6),
            measurement("b", 0, 2e6),
            measurement("b", 1, 8e6),
            measurement("a", 1, 2e6),
        ]);
        assert_eq!(results.ratios(Side::Server, &cell, "a", "b"), [0.5, 0.25]);
        assert_eq!(results.groups().len(), 1);
    }

    #[test]
    fn a_line_of_numbers_is_read() {
        let line = "{\"calls\":5,\"seconds\":1.5,\"client_cpu_ns\":1,\"server_cpu_ns\":2,\"p50_ns\":3,\"p99_ns\":4}\n";
        assert_eq!(
            Numbers::parse(line).map(|numbers| (numbers.calls, numbers.p99_ns)),
            Some((5, 4.0))
        );
        assert_eq!(Numbers::parse("{}"), None);
    }
}
