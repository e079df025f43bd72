//! Permits at the peer's stream limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use crate::http2::slots::{Permit, Slots};
use crate::sync::Notify;
use crate::world::{check, join, join_all, wait_for};

fn slots(limit: usize) -> (Arc<Slots>, Arc<Notify>) {
    let freed = Arc::new(Notify::new());
    (Slots::new(limit, Arc::clone(&freed)), freed)
}

/// Waits for a permit like the channel's control loop: registered before it looks.
async fn take(slots: &Arc<Slots>, freed: &Notify) -> Permit {
    loop {
        let notified = freed.notified();
        if let Some(permit) = slots.try_take() {
            return permit;
        }
        notified.await;
    }
}

/// Three threads take and give back: never are there more permits than the limit, and all come back.
pub fn permits_never_exceed_the_limit() {
    check(3, || {
        let (slots, _freed) = slots(1);
        let live = Arc::new(AtomicUsize::new(0));
        let threads = [(); 2].map(|()| {
            let (slots, live) = (Arc::clone(&slots), Arc::clone(&live));
            thread::spawn(move || use_one(&slots, &live))
        });
        use_one(&slots, &live);
        join_all(threads);
        assert_eq!(slots.in_use(), 0);
        assert!(slots.try_take().is_some());
    });
}

fn use_one(slots: &Arc<Slots>, live: &AtomicUsize) {
    let Some(permit) = slots.try_take() else {
        return;
    };
    assert_eq!(live.fetch_add(1, Ordering::Relaxed), 0, "beyond the limit");
    thread::yield_now();
    live.fetch_sub(1, Ordering::Relaxed);
    drop(permit);
}

/// A stream ends while somebody goes to sleep for want of one.
pub fn a_freed_permit_wakes_who_waits() {
    check(3, || {
        let (slots, freed) = slots(2);
        let ends =
            [slots.try_take(), slots.try_take()].map(|permit| thread::spawn(move || drop(permit)));
        let both = (
            wait_for(take(&slots, &freed)),
            wait_for(take(&slots, &freed)),
        );
        assert_eq!(slots.in_use(), 2);
        drop(both);
        join_all(ends);
        assert_eq!(slots.in_use(), 0);
    });
}

/// The peer allows more while somebody goes to sleep for want of a stream.
pub fn a_raised_limit_wakes_who_waits() {
    check(3, || {
        let (slots, freed) = slots(1);
        let first = slots.try_take();
        let peer = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || assert!(slots.set_limit(2)))
        };
        let second = wait_for(take(&slots, &freed));
        join(peer);
        drop((first, second));
        assert_eq!(slots.in_use(), 0);
    });
}

/// The peer allows fewer while a stream ends: whoever found all of the new limit in use learns that
/// one is free.
pub fn a_lowered_limit_loses_no_wake_up() {
    check(3, || {
        let (slots, freed) = slots(3);
        let (first, second) = (slots.try_take(), slots.try_take());
        let peer = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || assert!(slots.set_limit(2)))
        };
        let ends = thread::spawn(move || drop(second));
        let third = wait_for(take(&slots, &freed));
        join(peer);
        join(ends);
        drop((first, third));
        assert_eq!(slots.in_use(), 0);
    });
}
