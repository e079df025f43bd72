//! What readers count for the window policy, and what connections lease from each other.

use std::sync::Arc;
use std::task::{Context, Waker};

use loom::thread;

use super::{drive, link};
use crate::http2::h2::gauge::{Count, Gauge};
use crate::http2::h2::rest::{Readers, Rest};
use crate::http2::quota::Quota;
use crate::world::{block_on, check, join, join_all};

const KIB: u32 = 1024;

/// Two readers pass the mark that the driver waits for, which may be going to sleep: it is woken, by
/// one of them.
pub fn readers_ring_once() {
    check(3, || {
        let link = link();
        link.gauge().begin(10 * 1024);
        let readers = [10, 20].map(|kib| {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                let mut count = Count::default();
                link.took(&mut count, kib * KIB);
                // What is told to wake the driver is told once.
                link.gauge().took(&mut count, KIB)
            })
        });
        drive(&link, || link.gauge().is_due());
        let again = join_all(readers);
        assert_eq!(again, [false, false]);
        assert_eq!(link.gauge().most(), 21 * 1024);
    });
}

/// A reader that is still busy with the round before, in which it has got further than the new one
/// asks for, does not keep a reader of the new round from being heard.
pub fn the_alarm_of_a_new_round_is_not_lost() {
    check(3, || {
        let gauge = Arc::new(Gauge::default());
        gauge.begin(u64::MAX);
        let late = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || gauge.took(&mut Count::default(), 200 * KIB))
        };
        gauge.begin(100 * 1024);
        let rang = gauge.took(&mut Count::default(), 100 * KIB);
        let late_rang = join(late);
        assert!(gauge.is_due(), "nobody is heard in this round any more");
        assert!(rang || late_rang, "nobody wakes the driver");
    });
}

/// A reader catches up while the driver, which rests for it, is about to sleep with another waker:
/// the rest is over before its time.
pub fn a_reader_that_catches_up_ends_the_rest() {
    check(3, || {
        let readers = Arc::<Readers>::default();
        let mut rest = Rest::new(Arc::clone(&readers), 0);
        // Heads of empty DATA frames, more than are read without a rest.
        rest.count(&[0; 9 * 2_000]);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(rest.poll_over(&mut cx).is_pending());
        let reader = thread::spawn(move || readers.caught_up());
        block_on(|cx| rest.poll_over(cx));
        join(reader);
    });
}

/// Connections lease and give back: together they never have more than the limit, and all of it
/// comes back.
pub fn leases_stay_within_the_limit() {
    check(3, || {
        let quota = Quota::default();
        let threads = [4, 5].map(|wanted| {
            let quota = quota.clone();
            thread::spawn(move || {
                let mut lease = quota.lease(10);
                let first = lease.take(wanted);
                lease.give_back(1);
                let second = lease.take(wanted);
                assert!(first + second <= 10);
                (lease, first - 1 + second)
            })
        });
        let held = join_all(threads);
        let sum: u64 = held.iter().map(|(_, bytes)| bytes).sum();
        assert!(sum <= 10, "{sum} of 10");
        assert_eq!(quota.lease(10).take(10), 10 - sum, "what is left");
        drop(held);
        assert_eq!(quota.lease(10).take(10), 10, "all of it is back");
    });
}
