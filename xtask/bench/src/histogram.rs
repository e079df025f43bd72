//! Latencies, counted in buckets less than 1 % wide by any number of tasks at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Buckets per doubling.
const STEPS: usize = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Enough for 34 seconds in nanoseconds.
const BUCKETS: usize = (36 - STEP_BITS as usize) * STEPS;

pub(crate) struct Histogram {
    buckets: Vec<AtomicU32>,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(crate) fn record(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = index(nanos).min(BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn merge(&self, other: &Self) {
        for (sum, part) in self.buckets.iter().zip(&other.buckets) {
            sum.fetch_add(part.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// The latency that this share of the calls did not exceed, give or take a bucket.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| u64::from(bucket.load(Ordering::Relaxed)))
            .collect();
        let total: u64 = counts.iter().sum();
        let mut left = (total as f64 * share).ceil() as u64;
        for (bucket, count) in counts.iter().enumerate() {
            if *count >= left {
                return Duration::from_nanos(value(bucket));
            }
            left -= count;
        }
        Duration::ZERO
    }
}

/// Linear below `2 * STEPS`, then `STEPS` buckets per doubling.
fn index(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    shift as usize * STEPS + (nanos >> shift) as usize
}

/// The smallest value of a bucket.
fn value(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_most_1_percent_below_its_values() {
        for nanos in (0..2_000).chain((1..35).map(|bit| (1_u64 << bit) + 12_345)) {
            let lowest = value(index(nanos));
            assert!(
                lowest <= nanos && (nanos - lowest) as f64 <= nanos as f64 * 0.01,
                "{nanos}: {lowest}"
            );
        }
    }

    #[test]
    fn quantiles_are_found_across_parts() {
        let (a, b) = (Histogram::new(), Histogram::new());
        for micros in 1..=50 {
            a.record(Duration::from_micros(micros));
            b.record(Duration::from_micros(micros + 50));
        }
        a.merge(&b);
        let close = |share, micros: f64| {
            let found = a.quantile(share).as_nanos() as f64 / 1_000.0;
            assert!((found - micros).abs() <= micros * 0.01, "{share}: {found}");
        };
        close(0.5, 50.0);
        close(0.99, 99.0);
    }
}
