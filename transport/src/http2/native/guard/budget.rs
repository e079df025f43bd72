//! So many events, and how they come back.

use std::time::Instant;

/// Thousandths: what time gives back is counted in milliseconds.
pub(super) const WHOLE: u64 = 1_000;

/// An event takes one; time and useful events give back, up to the cap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// In thousandths.
    level: u64,
    cap: u32,
    per_second: u32,
    /// Up to when time has given back.
    at: Instant,
}

impl Budget {
    pub(super) fn new(cap: u32, per_second: u32, now: Instant) -> Self {
        Self {
            level: u64::from(cap) * WHOLE,
            cap,
            per_second,
            at: now,
        }
    }

    /// So many events; false if that is more than is left.
    pub(super) fn take(&mut self, events: u32, now: Instant) -> bool {
        self.take_parts(u64::from(events) * WHOLE, now)
    }

    /// So many thousandths of an event; false if that is more than is left.
    pub(super) fn take_parts(&mut self, wanted: u64, now: Instant) -> bool {
        if self.level < wanted {
            self.refill(now);
        }
        match self.level.checked_sub(wanted) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }

    /// So many useful events.
    #[inline]
    pub(super) fn earn(&mut self, events: u32) {
        let level = self.level.saturating_add(u64::from(events) * WHOLE);
        self.level = level.min(self.full());
    }

    /// All of it is there again.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.level = self.full();
    }

    /// The clock is looked at only where the level does not suffice, so what time gave back since
    /// is added then, at once.
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_millis();
        // Whole milliseconds are paid; a rest of one waits for the next time.
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        if passed > 0 {
            self.at = now;
            let back = passed.saturating_mul(u64::from(self.per_second));
            self.level = self.level.saturating_add(back).min(self.full());
        }
    }

    fn full(&self) -> u64 {
        u64::from(self.cap) * WHOLE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How many events are let through of `many` that come `every` so often.
    fn lasts(mut budget: Budget, many: u32, every: Duration, start: Instant) -> u32 {
        (0..many)
            .find(|n| !budget.take(1, start + *n * every))
            .unwrap_or(many)
    }

    #[test]
    fn a_burst_gets_the_cap() {
        let t0 = Instant::now();
        assert_eq!(
            lasts(Budget::new(100, 1, t0), 1_000, Duration::ZERO, t0),
            100
        );
        assert_eq!(lasts(Budget::new(0, 1, t0), 1_000, Duration::ZERO, t0), 0);
    }

    #[test]
    fn who_keeps_below_the_refill_never_runs_dry() {
        let t0 = Instant::now();
        let budget = Budget::new(10, 10, t0);
        assert_eq!(lasts(budget, 100_000, 100 * MS, t0), 100_000);
        let twice = lasts(budget, 100_000, 50 * MS, t0);
        assert!((19..=21).contains(&twice), "{twice}");
    }

    #[test]
    fn an_idle_year_gives_no_more_than_the_cap() {
        let t0 = Instant::now();
        let mut budget = Budget::new(10, 10, t0);
        assert!(budget.take(10, t0));
        let later = t0 + Duration::from_secs(365 * 24 * 3_600);
        assert!(budget.take(10, later) && !budget.take(1, later));
        assert!(!budget.take(1, t0), "a clock that went back gives nothing");
    }

    #[test]
    fn useful_events_give_back_up_to_the_cap() {
        let t0 = Instant::now();
        let mut budget = Budget::new(10, 0, t0);
        for _ in 0..1_000 {
            assert!(budget.take(2, t0));
            budget.earn(2);
        }
        budget.earn(u32::MAX);
        assert!(budget.take(10, t0) && !budget.take(1, t0));
        budget.reset();
        assert!(budget.take(10, t0));
        let mut unlimited = Budget::new(u32::MAX, u32::MAX, t0);
        unlimited.earn(u32::MAX);
        assert!(unlimited.take(u32::MAX, t0));
    }
}
