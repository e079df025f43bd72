//! How many streams a client has open on a connection, and the right to open one.

use std::sync::Arc;

use crate::sync::Notify;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The streams a client may have open on a connection: the peer's limit, and how many there are.
///
/// SeqCst: who ends a stream looks at the limit after it has counted down, and who wants one at the
/// count after the limit. Of the two at least one sees what the other did, and so nobody waits beside
/// a free stream.
#[derive(Debug)]
pub(super) struct Slots {
    in_use: AtomicUsize,
    limit: AtomicUsize,
    freed: Arc<Notify>,
}

impl Slots {
    pub(super) fn new(limit: usize, freed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            in_use: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            freed,
        })
    }

    pub(super) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Acquire)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::SeqCst)
    }

    /// The peer's limit; true if it has changed. Those that wait then look again.
    pub(super) fn set_limit(&self, limit: usize) -> bool {
        let changed = self.limit.swap(limit, Ordering::SeqCst) != limit;
        if changed {
            self.freed.notify_waiters();
        }
        changed
    }

    /// The connection is gone: those that wait for it shall look elsewhere.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let limit = self.limit();
        self.in_use
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                (used < limit).then_some(used + 1)
            })
            .ok()
            .map(|_before| Permit(Arc::clone(self)))
    }
}

/// The right to have one stream open on a connection; given back when dropped.
///
/// Source: RFC 9113 §5.1.2. Without one nothing reaches the engine, so that a call which waits
/// at the peer's limit can still be cancelled, time out or go to another connection.
#[derive(Debug)]
pub struct Permit(Arc<Slots>);

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.0.in_use.fetch_sub(1, Ordering::SeqCst);
        if before >= self.0.limit() {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_stop_at_the_limit_and_come_back() {
        let slots = Slots::new(2, Arc::default());
        let first = slots.try_take().unwrap();
        let _second = slots.try_take().unwrap();
        assert!(slots.try_take().is_none());
        drop(first);
        assert!(slots.try_take().is_some());
    }

    #[test]
    fn a_lowered_limit_holds_once_streams_have_ended() {
        let slots = Slots::new(3, Arc::default());
        let all: Vec<_> = std::iter::from_fn(|| slots.try_take()).collect();
        slots.set_limit(1);
        assert_eq!((all.len(), slots.in_use()), (3, 3));
        drop(all);
        assert!(
            slots
                .try_take()
                .is_some_and(|_one| slots.try_take().is_none())
        );
    }

    #[tokio::test]
    async fn a_freed_permit_wakes_one_that_waits() {
        let freed = Arc::new(Notify::new());
        let slots = Slots::new(1, Arc::clone(&freed));
        let only = slots.try_take().unwrap();
        let waiting = freed.notified();
        tokio::pin!(waiting);
        waiting.as_mut().enable();
        drop(only);
        waiting.await;
        assert!(slots.try_take().is_some());
    }
}
