//! How many connections one subchannel holds: the oldest is used first, another is opened when all
//! are at the peer's stream limit while calls queue.
//!
//! 1. Only one attempt is under way at a time: a burst of a thousand calls opens one connection,
//!    looks again, and opens the next only if calls still queue.
//! 2. A failed *further* connection does not hurt the subchannel, which stays READY; the next is
//!    tried after the ordinary backoff. One that is lost before it has lived for as long as that
//!    wait has failed as well.
//! 3. Load alone opens nothing: below the limit one connection serves all.

use std::time::Instant;

use super::backoff::{Backoff, BackoffConfig};

/// Names one connection of a channel for as long as the channel lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The connections of one subchannel, oldest first. `C` is a connection; tests use a number.
#[derive(Debug)]
pub(crate) struct Connections<C> {
    open: Vec<Open<C>>,
    max: usize,
    opening: Option<Instant>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Open<C> {
    id: ConnectionId,
    connection: C,
    /// When `grow` got it; `None` for the first.
    grown: Option<Instant>,
}

impl<C> Connections<C> {
    pub(crate) fn new(max: usize, backoff: BackoffConfig) -> Self {
        Self {
            open: Vec::new(),
            max: max.max(1),
            opening: None,
            backoff: Backoff::new(backoff),
            not_before: None,
        }
    }

    pub(crate) fn add(&mut self, id: ConnectionId, connection: C, now: Instant) {
        let grown = self.opening.take().map(|_| now);
        self.open.push(Open {
            id,
            connection,
            grown,
        });
    }

    /// Takes the connection out; `None` where it is not one of these.
    pub(crate) fn remove(&mut self, id: ConnectionId, now: Instant) -> Option<C> {
        let at = self.open.iter().position(|each| each.id == id)?;
        self.forgive(now);
        let gone = self.open.remove(at);
        if let Some(since) = gone.grown
            && !self.backoff.outlived(since, now)
        {
            self.back_off(since, now);
        }
        Some(gone.connection)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &C> {
        self.open.iter().map(|each| &each.connection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a further connection may ever be opened beside those that are.
    pub(crate) fn may_grow(&self) -> bool {
        self.open.len() < self.max
    }

    /// Asks for a further connection because calls queue; true where an attempt is to be started.
    /// `full` says whether a connection is at its peer's stream limit.
    pub(crate) fn grow(&mut self, now: Instant, full: impl Fn(&C) -> bool) -> bool {
        let waiting = self.not_before.is_some_and(|at| now < at);
        if self.opening.is_some() || waiting || !self.may_grow() || self.open.is_empty() {
            return false;
        }
        if !self.iter().all(full) {
            return false;
        }
        self.opening = Some(now);
        true
    }

    /// A further connection could not be opened.
    pub(crate) fn grow_failed(&mut self, now: Instant) {
        if let Some(started) = self.opening.take() {
            self.forgive(now);
            self.back_off(started, now);
        }
    }

    /// Starts backoff over once a connection that `grow` got has proven itself.
    fn forgive(&mut self, now: Instant) {
        let mut grown = self.open.iter().filter_map(|each| each.grown);
        if grown.any(|since| self.backoff.outlived(since, now)) {
            self.backoff.reset();
        }
    }

    fn back_off(&mut self, started: Instant, now: Instant) {
        let again = started.checked_add(self.backoff.next());
        self.not_before = Some(again.unwrap_or(now).max(now));
    }

    /// The attempt that `grow` asked for was given up.
    pub(crate) fn grow_cancelled(&mut self) {
        self.opening = None;
    }

    /// When `grow` may answer differently although nothing else happened.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.not_before
    }

    /// Forgets a wait that is over, so that it is not waited for again.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.not_before.is_some_and(|at| at <= now) {
            self.not_before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pool(max: usize) -> Connections<bool> {
        let config = BackoffConfig {
            jitter: 0.0,
            ..BackoffConfig::default()
        };
        Connections::new(max, config)
    }

    #[test]
    fn grows_only_when_every_connection_is_full_and_one_at_a_time() {
        let now = Instant::now();
        let mut pool = pool(3);
        assert!(
            !pool.grow(now, |full| *full),
            "the first one is the state machine's business"
        );
        pool.add(ConnectionId(1), true, now);
        assert!(pool.grow(now, |full| *full));
        assert!(!pool.grow(now, |full| *full), "one attempt at a time");
        pool.add(ConnectionId(2), false, now);
        assert!(!pool.grow(now, |full| *full), "the new one has room");
        assert!(pool.grow(now, |_| true));
        pool.add(ConnectionId(3), true, now);
        assert!(!pool.may_grow());
        assert!(!pool.grow(now, |_| true), "the maximum is kept");
        assert_eq!(pool.remove(ConnectionId(2), now), Some(false));
        assert_eq!(pool.remove(ConnectionId(2), now), None);
        assert_eq!(pool.len(), 2);
        let later = now + Duration::from_secs(1);
        assert!(pool.grow(later, |_| true), "a lost one may be replaced");
    }

    #[test]
    fn a_failed_growth_backs_off() {
        let t0 = Instant::now();
        let mut pool = pool(2);
        pool.add(ConnectionId(1), true, t0);
        assert!(pool.grow(t0, |_| true));
        pool.grow_failed(t0);
        let again = t0 + Duration::from_secs(1);
        assert_eq!(pool.wake_at(), Some(again));
        assert!(!pool.grow(t0, |_| true));
        pool.tick(again);
        assert_eq!(pool.wake_at(), None);
        assert!(pool.grow(again, |_| true));
        pool.add(ConnectionId(2), true, again);
        let later = again + Duration::from_secs(2);
        pool.remove(ConnectionId(2), later);
        assert!(pool.grow(later, |_| true), "it has lived");
        pool.grow_failed(later);
        let again = later + Duration::from_secs(1);
        assert_eq!(pool.wake_at(), Some(again), "that reset the wait");
    }

    #[test]
    fn a_further_connection_lost_right_after_it_was_opened_backs_off() {
        let t0 = Instant::now();
        let mut pool = pool(2);
        pool.add(ConnectionId(1), true, t0);
        let (mut now, mut opened) = (t0, 0);
        while now < t0 + Duration::from_secs(60) {
            assert!(pool.grow(now, |_| true));
            opened += 1;
            pool.add(ConnectionId(2), true, now);
            pool.remove(ConnectionId(2), now);
            assert!(!pool.grow(now, |_| true), "not at once");
            now = pool.wake_at().unwrap();
            pool.tick(now);
        }
        assert_eq!(opened, 8);
    }
}
