//! When calls are due that do not wait for answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A fixed rate. What is late stays due at its own time, so that a stall counts for every call that fell into it.
pub(super) struct Pace {
    next: Instant,
    interval: Duration,
    due: VecDeque<Instant>,
}

impl Pace {
    /// `offset` in intervals, so that connections do not call all at once.
    pub(super) fn new(per_second: f64, offset: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self {
            next: Instant::now() + interval.mul_f64(1.0 + offset),
            interval,
            due: VecDeque::new(),
        }
    }

    /// The time of the oldest call that is due and has not been started.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        while self.next <= now {
            self.due.push_back(self.next);
            self.next += self.interval;
        }
        self.due.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_stall_are_due_at_their_own_times() {
        let mut pace = Pace::new(1_000.0, 0.0);
        let first = pace.next;
        assert_eq!(pace.take(first - Duration::from_micros(1)), None);
        let after_a_stall = first + Duration::from_millis(2);
        let due: Vec<Instant> = std::iter::from_fn(|| pace.take(after_a_stall)).collect();
        let expected = [0, 1, 2].map(|millis| first + Duration::from_millis(millis));
        assert_eq!(due, expected);
    }
}
