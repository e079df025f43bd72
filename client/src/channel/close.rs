//! Closing a channel on purpose, within a bound.

use std::time::{Duration, Instant};

/// How long connections that were cut may take to be gone.
const CUT: Duration = Duration::from_millis(100);

/// What [`Channel::close`](crate::Channel::close) did with the calls that it met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Calls that came to their own end within the grace.
    pub completed: usize,
    /// Calls that were cancelled at the end of the grace.
    pub cancelled: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// What the control loop has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseAction {
    Wait,
    /// Cut the connections that are left.
    Cut,
    Done(CloseReport),
}

/// The order of a close: events and the time go in, actions come out.
///
/// 1. Connections take no more calls; each ends with its last one.
/// 2. The grace is over: what is left is cut.
/// 3. Done when no connection is left, at the latest 100 ms after that.
#[derive(Debug)]
pub(crate) struct Closing {
    started: Instant,
    until: Instant,
    /// The calls that were open at the start.
    met: usize,
    cut: Option<(Instant, usize)>,
}

impl Closing {
    pub(crate) const fn new(now: Instant, until: Instant, calls: usize) -> Self {
        Self {
            started: now,
            until,
            met: calls,
            cut: None,
        }
    }

    /// Asked again: the shorter grace counts.
    pub(crate) fn shorten(&mut self, until: Instant) {
        self.until = self.until.min(until);
    }

    /// Something has ended, or time has passed: `calls` on `connections` are left.
    pub(crate) fn tick(&mut self, now: Instant, connections: usize, calls: usize) -> CloseAction {
        if connections == 0 {
            return self.done(now);
        }
        match self.cut {
            None if now >= self.until => {
                self.cut = Some((now + CUT, calls));
                CloseAction::Cut
            }
            Some((by, _)) if now >= by => self.done(now),
            None | Some(_) => CloseAction::Wait,
        }
    }

    /// When [`tick`](Self::tick) is due even if nothing ends.
    pub(crate) fn wake_at(&self) -> Instant {
        self.cut.map_or(self.until, |(by, _)| by)
    }

    fn done(&self, now: Instant) -> CloseAction {
        let cancelled = self.cut.map_or(0, |(_, calls)| calls);
        CloseAction::Done(CloseReport {
            completed: self.met.saturating_sub(cancelled),
            cancelled,
            elapsed: now.saturating_duration_since(self.started),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn report(completed: usize, cancelled: usize, elapsed: Duration) -> CloseAction {
        CloseAction::Done(CloseReport {
            completed,
            cancelled,
            elapsed,
        })
    }

    #[test]
    fn nothing_open_is_done_at_once() {
        let t0 = Instant::now();
        let mut closing = Closing::new(t0, t0 + 100 * MS, 0);
        assert_eq!(closing.tick(t0, 0, 0), report(0, 0, Duration::ZERO));
    }

    #[test]
    fn calls_that_end_in_time_are_waited_for() {
        let t0 = Instant::now();
        let mut closing = Closing::new(t0, t0 + 100 * MS, 3);
        assert_eq!(closing.tick(t0, 1, 3), CloseAction::Wait);
        assert_eq!(closing.wake_at(), t0 + 100 * MS);
        assert_eq!(closing.tick(t0 + 60 * MS, 0, 0), report(3, 0, 60 * MS));
    }

    #[test]
    fn the_end_of_the_grace_bounds_what_is_left() {
        let t0 = Instant::now();
        let mut closing = Closing::new(t0, t0 + 9_000 * MS, 3);
        closing.shorten(t0 + 100 * MS);
        closing.shorten(t0 + 500 * MS);
        let end = t0 + 100 * MS;
        assert_eq!(closing.wake_at(), end, "the shorter one");
        assert_eq!(closing.tick(end, 2, 2), CloseAction::Cut);
        assert_eq!(closing.tick(end, 2, 2), CloseAction::Wait, "once");
        assert_eq!(closing.wake_at(), end + 100 * MS);
        assert_eq!(closing.tick(end + MS, 0, 0), report(1, 2, 101 * MS));
        assert_eq!(
            closing.tick(end + 100 * MS, 1, 1),
            report(1, 2, 200 * MS),
            "a task that does not run holds nobody up"
        );
    }
}
