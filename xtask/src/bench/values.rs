//! What is measured of a program in a round, and the middle of it over the rounds.

use serde_json::Value;
use std::collections::BTreeMap;

/// Something that has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// Of the measured process, for each call or message, in microseconds.
    Cpu,
    /// Calls or messages.
    PerSecond,
    P50,
    P99,
    P999,
    /// Of the measured process, in KiB.
    PeakMemory,
    Instructions,
    Allocations,
    AllocatedBytes,
    SystemCalls,
    /// In KiB, for each connection or stream.
    MemoryEach,
    /// After everything was closed, as a multiple of before.
    Kept,
    MegabytesPerSecond,
    /// The 99th percentile, as a multiple of what it is without the others.
    TimesAlone,
}

/// Metric, its name in the record, its name for people, and whether less is better.
const METRICS: &[(Metric, &str, &str, bool)] = &[
    (Metric::Cpu, "cpu_us", "CPU µs", true),
    (Metric::PerSecond, "per_second", "per second", false),
    (Metric::P50, "p50_us", "p50 µs", true),
    (Metric::P99, "p99_us", "p99 µs", true),
    (Metric::P999, "p999_us", "p99.9 µs", true),
    (Metric::PeakMemory, "peak_kib", "peak KiB", true),
    (Metric::Instructions, "instructions", "instructions", true),
    (Metric::Allocations, "allocations", "allocations", true),
    (
        Metric::AllocatedBytes,
        "allocated_bytes",
        "bytes allocated",
        true,
    ),
    (Metric::SystemCalls, "system_calls", "system calls", true),
    (Metric::MemoryEach, "kib_each", "KiB each", true),
    (Metric::Kept, "times_start", "times the start", true),
    (Metric::MegabytesPerSecond, "mb_per_second", "MB/s", false),
    (
        Metric::TimesAlone,
        "p99_times_alone",
        "p99, times alone",
        true,
    ),
];

impl Metric {
    pub(super) fn key(self) -> &'static str {
        self.row().1
    }

    pub(super) fn title(self) -> &'static str {
        self.row().2
    }

    pub(super) fn less_is_better(self) -> bool {
        self.row().3
    }

    pub(super) fn by_key(key: &str) -> Option<Self> {
        METRICS.iter().find(|row| row.1 == key).map(|row| row.0)
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        METRICS.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, bool) {
        let row = METRICS.iter().find(|row| row.0 == self);
        row.unwrap_or(&(Self::Cpu, "", "", true))
    }

    /// With as many digits as mean something.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond | Self::Instructions | Self::AllocatedBytes | Self::PeakMemory => {
                thousands(value)
            }
            Self::Cpu if value < 1.0 => format!("{value:.3}"),
            Self::P50 | Self::P99 | Self::P999 if value >= 100.0 => thousands(value),
            Self::P50 | Self::P99 | Self::P999 | Self::Allocations | Self::MegabytesPerSecond => {
                format!("{value:.1}")
            }
            _ => format!("{value:.2}"),
        }
    }
}

/// `1,234,567`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let after = digits.len() - place;
        if place > 0 && after.is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The numbers of one program in one round.
pub(super) type Values = BTreeMap<Metric, f64>;

/// A line of numbers that a program printed.
#[derive(Clone, Debug)]
pub(super) struct Line(Value);

impl Line {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let last = text.trim().lines().next_back()?;
        let value: Value = serde_json::from_str(last).ok()?;
        value.is_object().then_some(Self(value))
    }

    pub(super) fn number(&self, key: &str) -> f64 {
        self.0.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
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
    fn every_metric_has_a_name_of_its_own() {
        let mut keys: Vec<&str> = Metric::all().map(Metric::key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), METRICS.len());
    }

    #[test]
    fn numbers_are_shown_with_the_digits_that_mean_something() {
        assert_eq!(Metric::PerSecond.show(1_234_567.8), "1,234,568");
        assert_eq!(Metric::PerSecond.show(999.0), "999");
        assert_eq!(Metric::Cpu.show(0.0558), "0.056");
        assert_eq!(Metric::Cpu.show(5.618), "5.62");
    }

    #[test]
    fn the_last_line_of_numbers_is_read() {
        let line = Line::parse("a word\n{\"calls\":5,\"p99_ns\":4}\n").unwrap();
        assert_eq!((line.number("calls"), line.number("p99_ns")), (5.0, 4.0));
        assert!(line.number("p50_ns").is_nan());
        assert!(Line::parse("nothing").is_none() && Line::parse("5").is_none());
    }
}
