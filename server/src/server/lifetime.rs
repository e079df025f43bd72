//! How long a connection may live: its age, and how long it may be without calls.
//!
//! 1. At `max_connection_age`, spread by a random tenth in both directions so that clients which
//!    came together do not all come back together, the client is told to go elsewhere with
//!    GOAWAY, as by a stop of the server. No call is lost: those that run go on.
//! 2. The age's grace later the calls that still run are cut. By default there is no such bound.
//! 3. Without any call for `max_connection_idle`: GOAWAY as well.
//!
//! Source: gRFC A9, "Server-side Connection Management".

use std::time::{Duration, Instant};

/// The share of the age that is random, in both directions.
const JITTER: f64 = 0.1;

/// The limits; nothing is limited by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LifetimeLimits {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_age_grace: Option<Duration>,
    pub(crate) max_idle: Option<Duration>,
}

/// What is to be done with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Too old: GOAWAY.
    Age,
    /// Unused for too long: GOAWAY.
    Idle,
    /// The grace of its age is over: cut what runs.
    Grace,
}

/// The running decision for one connection. It is told the time and never reads a clock.
#[derive(Debug)]
pub(super) struct Lifetime {
    limits: LifetimeLimits,
    age_at: Option<Instant>,
    idle_at: Option<Instant>,
    grace_at: Option<Instant>,
    has_calls: bool,
}

impl Lifetime {
    /// `None` where nothing is limited. `spread` is between -1 and 1; see [`random_spread`].
    pub(super) fn new(limits: LifetimeLimits, spread: f64, now: Instant) -> Option<Self> {
        if limits.max_age.is_none() && limits.max_idle.is_none() {
            return None;
        }
        let age = limits.max_age.and_then(|age| {
            let seconds = age.as_secs_f64() * (1.0 + JITTER * spread);
            Duration::try_from_secs_f64(seconds).ok()
        });
        Some(Self {
            age_at: age.and_then(|age| now.checked_add(age)),
            idle_at: limits.max_idle.and_then(|idle| now.checked_add(idle)),
            grace_at: None,
            has_calls: false,
            limits,
        })
    }

    /// Whether it matters when calls begin and end.
    pub(super) const fn counts_idleness(&self) -> bool {
        self.limits.max_idle.is_some()
    }

    /// Whether there are calls now. True where that is news.
    pub(super) fn observe(&mut self, has_calls: bool, now: impl FnOnce() -> Instant) -> bool {
        let (Some(idle), true) = (self.limits.max_idle, has_calls != self.has_calls) else {
            return false;
        };
        self.has_calls = has_calls;
        self.idle_at = if has_calls {
            None
        } else {
            now().checked_add(idle)
        };
        true
    }

    /// The time of [`wake_at`](Self::wake_at) may have come.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Ending> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.grace_at) {
            self.grace_at = None;
            return Some(Ending::Grace);
        }
        let ending = if due(self.age_at) {
            let grace = self.limits.max_age_grace;
            self.grace_at = grace.and_then(|grace| now.checked_add(grace));
            Ending::Age
        } else if due(self.idle_at) {
            Ending::Idle
        } else {
            return None;
        };
        // It is told once; from now on it is closing, whether it is used or not.
        self.age_at = None;
        self.idle_at = None;
        self.limits.max_idle = None;
        Some(ending)
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        let each = [self.age_at, self.idle_at, self.grace_at];
        each.into_iter().flatten().min()
    }
}

/// A random number between -1 and 1.
pub(super) fn random_spread() -> f64 {
    fastrand::f64() * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn limits(age: Option<u32>, grace: Option<u32>, idle: Option<u32>) -> LifetimeLimits {
        LifetimeLimits {
            max_age: age.map(|s| s * S),
            max_age_grace: grace.map(|s| s * S),
            max_idle: idle.map(|s| s * S),
        }
    }

    #[test]
    fn without_limits_there_is_nothing_to_watch() {
        let grace_alone = limits(None, Some(1), None);
        assert!(Lifetime::new(grace_alone, 0.0, Instant::now()).is_none());
    }

    #[test]
    fn an_old_connection_is_told_once_and_cut_after_the_grace() {
        let t0 = Instant::now();
        let mut life = Lifetime::new(limits(Some(100), Some(10), None), 0.5, t0).unwrap();
        assert_eq!(life.wake_at(), Some(t0 + 105 * S), "half of the tenth");
        assert_eq!(life.tick(t0 + 104 * S), None);
        assert_eq!(life.tick(t0 + 105 * S), Some(Ending::Age));
        assert_eq!(life.wake_at(), Some(t0 + 115 * S));
        assert_eq!(life.tick(t0 + 110 * S), None);
        assert_eq!(life.tick(t0 + 115 * S), Some(Ending::Grace));
        assert_eq!((life.wake_at(), life.tick(t0 + 999 * S)), (None, None));
    }

    #[test]
    fn without_a_grace_calls_go_on_for_ever() {
        let t0 = Instant::now();
        let mut life = Lifetime::new(limits(Some(100), None, Some(50)), -1.0, t0).unwrap();
        assert!(life.observe(true, || t0));
        assert_eq!(life.tick(t0 + 90 * S), Some(Ending::Age), "a tenth less");
        assert!(!life.observe(false, || t0 + 91 * S), "it is closing anyway");
        assert_eq!(life.wake_at(), None);
    }

    #[test]
    fn idleness_counts_from_the_last_call_or_from_the_start() {
        let t0 = Instant::now();
        let idle = || Lifetime::new(limits(None, None, Some(10)), 0.0, t0).unwrap();
        assert_eq!(idle().tick(t0 + 10 * S), Some(Ending::Idle));
        let mut life = idle();
        assert!(life.counts_idleness());
        assert!(life.observe(true, || t0 + 5 * S));
        assert!(!life.observe(true, || panic!("the clock is not read")));
        assert_eq!((life.wake_at(), life.tick(t0 + 99 * S)), (None, None));
        assert!(life.observe(false, || t0 + 100 * S));
        assert_eq!(life.tick(t0 + 109 * S), None);
        assert_eq!(life.tick(t0 + 110 * S), Some(Ending::Idle));
    }

    #[test]
    fn ages_are_spread_over_a_tenth_in_both_directions() {
        let spreads: Vec<f64> = (0..1_000).map(|_| random_spread()).collect();
        assert!(spreads.iter().all(|spread| (-1.0..=1.0).contains(spread)));
        let early = spreads.iter().filter(|spread| **spread < -0.5).count();
        let late = spreads.iter().filter(|spread| **spread > 0.5).count();
        assert!(early > 100 && late > 100, "{early} {late}");
        let t0 = Instant::now();
        let endless = LifetimeLimits {
            max_age: Some(Duration::MAX),
            ..LifetimeLimits::default()
        };
        let life = Lifetime::new(endless, 1.0, t0).unwrap();
        assert_eq!(life.wake_at(), None);
    }
}
