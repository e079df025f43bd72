//! All that a run measured, and the ratios of it.

use super::cell::Cell;
use super::values::{Metric, Values, median};

/// One library in one round.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) cell: Cell,
    pub(super) library: &'static str,
    pub(super) round: usize,
    pub(super) values: Values,
}

/// A number that differs from round to round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        Some(Self {
            median: median(values.iter().copied()),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    all: Vec<Measurement>,
    /// Libraries that failed a cell, and why.
    pub(super) failures: Vec<String>,
}

impl Results {
    pub(super) fn push(&mut self, measurement: Measurement) {
        self.all.push(measurement);
    }

    /// In the order they were measured.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for measurement in &self.all {
            if cells.iter().all(|cell| cell.name != measurement.cell.name) {
                cells.push(measurement.cell);
            }
        }
        cells
    }

    /// Those of a cell.
    pub(super) fn libraries(&self, cell: &Cell) -> Vec<&'static str> {
        let mut libraries = Vec::new();
        for measurement in &self.all {
            if measurement.cell.name == cell.name && !libraries.contains(&measurement.library) {
                libraries.push(measurement.library);
            }
        }
        libraries
    }

    /// One library's rounds of a cell, by round.
    pub(super) fn rounds(&self, cell: &Cell, library: &str) -> Vec<&Measurement> {
        let mut rounds: Vec<&Measurement> = self
            .all
            .iter()
            .filter(|found| found.cell.name == cell.name && found.library == library)
            .collect();
        rounds.sort_by_key(|found| found.round);
        rounds
    }

    /// The middle of the rounds.
    pub(super) fn medians(&self, cell: &Cell, library: &str) -> Values {
        let rounds = self.rounds(cell, library);
        let middle = |metric: Metric| {
            let found: Vec<f64> = rounds
                .iter()
                .filter_map(|round| round.values.get(&metric).copied())
                .collect();
            (!found.is_empty()).then(|| (metric, median(found)))
        };
        Metric::all().filter_map(middle).collect()
    }

    /// One library to another, round by round: what disturbs the machine for longer than a round disturbs both.
    pub(super) fn ratio(
        &self,
        cell: &Cell,
        metric: Metric,
        library: &str,
        to: &str,
    ) -> Option<Spread> {
        let lower = self.rounds(cell, to);
        let mut ratios = Vec::new();
        for upper in self.rounds(cell, library) {
            let same = lower.iter().find(|other| other.round == upper.round);
            let pair = same
                .and_then(|lower| Some((upper.values.get(&metric)?, lower.values.get(&metric)?)));
            if let Some((upper, lower)) = pair {
                ratios.push(upper / lower);
            }
        }
        Spread::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cells::CELLS;

    fn measurement(library: &'static str, round: usize, cpu: f64) -> Measurement {
        Measurement {
            cell: *CELLS.first().unwrap(),
            library,
            round,
            values: Values::from([(Metric::Cpu, cpu)]),
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut results = Results::default();
        // The order of running rotates; the pairs must not. One has a round less.
        for (library, round, cpu) in [
            ("a", 0, 1.0),
            ("b", 0, 2.0),
            ("b", 1, 8.0),
            ("a", 1, 2.0),
            ("a", 2, 9.0),
        ] {
            results.push(measurement(library, round, cpu));
        }
        let cell = results.cells().pop().unwrap();
        let ratio = results.ratio(&cell, Metric::Cpu, "a", "b").unwrap();
        assert_eq!(
            (ratio.least, ratio.median, ratio.greatest),
            (0.25, 0.375, 0.5)
        );
        assert_eq!(results.medians(&cell, "a").get(&Metric::Cpu), Some(&2.0));
        assert_eq!(results.ratio(&cell, Metric::P99, "a", "b"), None);
    }
}
