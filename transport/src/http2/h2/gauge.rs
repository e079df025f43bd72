//! How much the readers of a connection's streams take: what the window policy is told.
//!
//! Readers count only where they give window back anyway, which is once per 32 KiB or so: small
//! calls never come here. Numbers belong to a *round*; a reader that meets a new one starts over.
//! A reader at the turn of two rounds may count for the wrong one, with all it has taken in the old:
//! one look is then in vain, or one growth early. The next round is right again.

use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// One per connection, shared by its driver and its streams' readers.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// 0: nobody measures.
    round: AtomicU32,
    /// The most that one stream's reader has taken in this round.
    most: AtomicU64,
    /// The driver wants to know when `most` gets here.
    alarm: AtomicU64,
    due: AtomicBool,
}

/// A reader's count: the round, and KiB in this many low bits, up to 4 GiB. One word, because
/// every stream holds one.
#[derive(Debug, Default)]
pub(super) struct Count(u32);

const KIB_BITS: u32 = 22;
const MAX_KIB: u32 = (1 << KIB_BITS) - 1;
const LAST_ROUND: u32 = u32::MAX >> KIB_BITS;

impl Gauge {
    /// A round begins, of which the driver wants to know when one stream has got this far.
    pub(super) fn begin(&self, alarm: u64) {
        self.most.store(0, Ordering::Relaxed);
        self.alarm.store(alarm, Ordering::Relaxed);
        self.due.store(false, Ordering::Relaxed);
        let round = self.round.load(Ordering::Relaxed);
        let next = if round == LAST_ROUND { 1 } else { round + 1 };
        self.round.store(next, Ordering::Release);
    }

    /// Nobody measures any more.
    pub(super) fn stop(&self) {
        self.due.store(false, Ordering::Relaxed);
        self.round.store(0, Ordering::Release);
    }

    /// The most that one stream's reader has taken in this round.
    pub(super) fn most(&self) -> u64 {
        self.most.load(Ordering::Acquire)
    }

    /// Whether a stream has got as far as the driver wanted to know.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.due.load(Ordering::Relaxed)
    }

    /// A reader has taken so many bytes more; true if the driver is to be woken for it.
    pub(super) fn took(&self, count: &mut Count, bytes: u32) -> bool {
        let round = self.round.load(Ordering::Acquire);
        if round == 0 {
            return false;
        }
        let before = if count.0 >> KIB_BITS == round {
            count.0 & MAX_KIB
        } else {
            0
        };
        let kib = (before + bytes / 1024).min(MAX_KIB);
        *count = Count(round << KIB_BITS | kib);
        let own = u64::from(kib) * 1024;
        self.most.fetch_max(own, Ordering::AcqRel);
        // Not by what `most` was before: a reader that is late at the turn of two rounds leaves it
        // above the alarm of the new one, which nobody would then be the first to reach.
        let reached = own >= self.alarm.load(Ordering::Relaxed);
        reached && !self.due.swap(true, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u32 = 1024;

    #[test]
    fn one_stream_has_to_get_there_and_says_so_once() {
        let gauge = Gauge::default();
        let (mut one, mut other) = (Count::default(), Count::default());
        assert!(!gauge.took(&mut one, 1_000 * KIB), "nobody measures");
        gauge.begin(100 * 1024);
        assert!(!gauge.took(&mut one, 60 * KIB));
        assert!(!gauge.took(&mut other, 60 * KIB), "they do not add up");
        assert!(!gauge.is_due());
        assert!(gauge.took(&mut one, 40 * KIB));
        assert!(gauge.is_due());
        assert!(!gauge.took(&mut one, 40 * KIB), "known");
        assert!(!gauge.took(&mut other, 400 * KIB), "known");
        assert_eq!(gauge.most(), 460 * 1024);
    }

    #[test]
    fn a_new_round_starts_from_nothing() {
        let gauge = Gauge::default();
        let mut one = Count::default();
        gauge.begin(100 * 1024);
        assert!(gauge.took(&mut one, 1_000 * KIB));
        gauge.begin(u64::MAX);
        assert!(!gauge.is_due());
        assert!(!gauge.took(&mut one, 7 * KIB));
        assert_eq!(gauge.most(), 7 * 1024);
        gauge.begin(5 * 1024);
        assert!(gauge.took(&mut one, 5 * KIB));
        gauge.stop();
        assert!(!gauge.is_due() && !gauge.took(&mut one, 1_000 * KIB));
        gauge.begin(10 * 1024);
        assert!(gauge.took(&mut one, 10 * KIB), "the count before is gone");
    }

    /// A reader that is late writes into the new round what it has taken in the old one.
    #[test]
    fn a_late_reader_keeps_nobody_from_reaching_the_alarm_of_the_next_round() {
        let gauge = Gauge::default();
        gauge.begin(100 * 1024);
        gauge.most.store(300 * 1024, Ordering::Relaxed);
        let mut one = Count::default();
        assert!(!gauge.took(&mut one, 60 * KIB));
        assert!(gauge.took(&mut one, 60 * KIB) && gauge.is_due());
    }

    #[test]
    fn counts_neither_overflow_nor_spill_into_the_round() {
        let gauge = Gauge::default();
        for _ in 0..3 * LAST_ROUND {
            gauge.begin(u64::MAX);
            let mut one = Count::default();
            for _ in 0..3 {
                gauge.took(&mut one, u32::MAX);
            }
            assert_eq!(gauge.most(), u64::from(MAX_KIB) * 1024);
            assert_eq!(one.0 >> KIB_BITS, gauge.round.load(Ordering::Relaxed));
        }
    }
}
