//! How long to wait between attempts to reach something that just failed.
//!
//! The algorithm is the one of the gRPC document "Connection Backoff":
//! 1. the wait counts from the *start* of the failed attempt, so an attempt that itself took
//!    longer than the wait is followed at once by the next;
//! 2. the first wait is `initial`, each further one `multiplier` times the one before, up to `max`;
//! 3. every wait is spread by a random part of at most `jitter` of its length in both directions,
//!    also the first, so that a thousand clients of a restarted server do not come back together;
//! 4. success starts over at `initial`; a connection that is lost sooner than the wait that a failure
//!    would have cost is none (see [`Backoff::outlived`]).

use std::time::{Duration, Instant};

/// How the wait between two connection attempts grows.
///
/// The defaults are those of the gRPC document "Connection Backoff".
///
/// ```
/// use std::time::Duration;
///
/// let mut backoff = trunkline_client::BackoffConfig::default();
/// backoff.max = Duration::from_secs(10);
/// assert_eq!(backoff.initial, Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BackoffConfig {
    /// The first wait. Default 1 s: a restarting process is usually back by then.
    pub initial: Duration,
    /// What each further wait is multiplied with. Default 1.6; below 1 counts as 1.
    pub multiplier: f64,
    /// The share of a wait that is random, in both directions. Default 0.2; kept within 0 to 1.
    pub jitter: f64,
    /// The longest wait before jitter. Default 120 s.
    pub max: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            multiplier: 1.6,
            jitter: 0.2,
            max: Duration::from_secs(120),
        }
    }
}

/// The running wait of one thing that may fail: a plain value, fed by its owner.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    config: BackoffConfig,
    next: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(config: BackoffConfig) -> Self {
        Self::with_random(config, fastrand::Rng::new())
    }

    fn with_random(config: BackoffConfig, random: fastrand::Rng) -> Self {
        let next = config.initial.min(config.max);
        Self {
            config,
            next,
            random,
        }
    }

    /// The wait that follows the attempt that failed now.
    pub(crate) fn next(&mut self) -> Duration {
        let base = self.next;
        self.next = scale(base, at_least_one(self.config.multiplier)).min(self.config.max);
        let jitter = if self.config.jitter.is_finite() {
            self.config.jitter.clamp(0.0, 1.0)
        } else {
            0.0
        };
        scale(base, 1.0 + jitter * (2.0 * self.random.f64() - 1.0))
    }

    /// Whether something that began at `since` has lasted for as long as the wait that its failure
    /// would have cost: long enough to be begun again at once without spinning.
    pub(crate) fn outlived(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= self.next
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.config.initial.min(self.config.max);
    }
}

fn at_least_one(multiplier: f64) -> f64 {
    if multiplier.is_finite() {
        multiplier.max(1.0)
    } else {
        1.0
    }
}

/// `duration * factor`, or the longest duration where that overflows.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_the_multiplier_up_to_the_maximum() {
        let config = BackoffConfig {
            jitter: 0.0,
            ..BackoffConfig::default()
        };
        let mut backoff = Backoff::new(config);
        let waits: Vec<_> = (0..13).map(|_| backoff.next().as_secs_f64()).collect();
        assert!((waits[0] - 1.0).abs() < 1e-9);
        assert!((waits[1] - 1.6).abs() < 1e-9);
        assert!((waits[2] - 2.56).abs() < 1e-9);
        assert!((waits[12] - 120.0).abs() < 1e-9);
        backoff.reset();
        assert_eq!(backoff.next(), Duration::from_secs(1));
    }

    #[test]
    fn jitter_spreads_within_its_share() {
        let (mut low, mut high) = (f64::MAX, 0.0_f64);
        for seed in 0..2_000 {
            let mut backoff =
                Backoff::with_random(BackoffConfig::default(), fastrand::Rng::with_seed(seed));
            let wait = backoff.next().as_secs_f64();
            low = low.min(wait);
            high = high.max(wait);
        }
        assert!((0.8..0.85).contains(&low), "{low}");
        assert!((1.15..=1.2).contains(&high), "{high}");
    }

    #[test]
    fn nonsense_settings_neither_panic_nor_spin() {
        let config = BackoffConfig {
            initial: Duration::MAX,
            multiplier: f64::INFINITY,
            jitter: f64::NAN,
            max: Duration::MAX,
        };
        let mut backoff = Backoff::new(config);
        for _ in 0..10 {
            assert!(backoff.next() >= Duration::from_secs(1));
        }
        let shrinking = BackoffConfig {
            multiplier: -3.0,
            jitter: 0.0,
            ..BackoffConfig::default()
        };
        let mut backoff = Backoff::new(shrinking);
        assert_eq!(backoff.next(), Duration::from_secs(1));
        assert_eq!(backoff.next(), Duration::from_secs(1));
    }
}
