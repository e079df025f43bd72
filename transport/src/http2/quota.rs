//! What all connections of a server may have in grown windows together.
//!
//! A window is memory that a peer may fill. What a connection grants from its start is bounded by
//! its settings; what it grants later, because a path turned out to be long, is leased here first.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};

/// Bytes leased so far; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota(Arc<AtomicU64>);

/// What one connection has leased; given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    quota: Quota,
    limit: u64,
    bytes: u64,
}

impl Quota {
    /// For one connection; all of them together get `limit`.
    pub(super) fn lease(&self, limit: u64) -> Lease {
        Lease {
            quota: self.clone(),
            limit,
            bytes: 0,
        }
    }
}

impl Lease {
    /// Leases as much of `wanted` as there is, and says how much that was.
    pub(super) fn take(&mut self, wanted: u64) -> u64 {
        let share = |used: u64| wanted.min(self.limit.saturating_sub(used));
        let used = &self.quota.0;
        let before = used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(share(used))
            })
            .unwrap_or_else(|full| full);
        let taken = share(before);
        self.bytes = self.bytes.saturating_add(taken);
        taken
    }

    /// Gives back what was not needed after all.
    pub(super) fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.quota.0.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_never_exceed_the_limit_and_come_back() {
        let quota = Quota::default();
        let mut one = quota.lease(100);
        let mut other = quota.lease(100);
        assert_eq!(one.take(70), 70);
        assert_eq!(other.take(70), 30, "what is left");
        assert_eq!(other.take(1), 0);
        one.give_back(20);
        assert_eq!(other.take(70), 20);
        one.give_back(1_000);
        assert_eq!(other.take(70), 50, "not more than it had");
        drop(other);
        assert_eq!(one.take(1_000), 100);
        drop(one);
        assert_eq!(quota.0.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_lower_limit_than_what_is_leased_gives_nothing() {
        let quota = Quota::default();
        let mut one = quota.lease(100);
        assert_eq!(one.take(100), 100);
        assert_eq!(quota.lease(50).take(10), 0);
        assert_eq!(one.take(u64::MAX), 0);
    }

    #[test]
    fn threads_lease_no_more_than_there_is() {
        let quota = Quota::default();
        let taken: u64 = std::thread::scope(|scope| {
            let lease = || {
                let mut lease = quota.lease(1_000);
                let taken = (0..100).map(|_| lease.take(7)).sum::<u64>();
                std::mem::forget(lease);
                taken
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(lease)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(taken, 1_000);
    }
}
