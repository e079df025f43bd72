//! Streams and their driver: what is queued, what is woken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::thread;

use super::{drive, link, why};
use crate::http2::h2::cell::{H2, StreamCell};
use crate::world::{block_on, check, join, join_all};

/// Two streams' senders leave messages: the driver, asleep or awake, hands all of them over.
pub fn every_message_is_handed_over() {
    check(3, || {
        let (link, h2) = (link(), H2::open());
        let cells = [StreamCell::new(&h2, &link), StreamCell::new(&h2, &link)];
        let senders = cells.clone().map(|cell| thread::spawn(move || cell.push()));
        let handed = |cell: &Arc<StreamCell>| cell.handed.load(Ordering::Relaxed);
        drive(&link, || cells.iter().map(handed).sum::<usize>() == 2);
        join_all(senders);
        assert!(!link.is_dirty(), "nothing is left over");
    });
}

/// Both halves of one stream have something for the driver: it is queued once at a time, and no
/// message is forgotten or handed over twice.
pub fn one_stream_is_queued_once() {
    check(3, || {
        let link = link();
        let cell = StreamCell::new(&H2::open(), &link);
        let halves = [Arc::clone(&cell), Arc::clone(&cell)];
        let halves = halves.map(|cell| thread::spawn(move || cell.push()));
        assert!(cell.holders() <= 1, "queued twice before the first turn");
        drive(&link, || cell.handed.load(Ordering::Relaxed) >= 2);
        join_all(halves);
        assert_eq!(cell.handed.load(Ordering::Relaxed), 2);
        assert!(
            cell.turns.load(Ordering::Relaxed) <= 2,
            "a turn for nothing"
        );
        assert_eq!(cell.holders(), 0);
    });
}

/// A message waits for window. When it comes, while the sender or the driver may be about to ask for
/// it, the message goes out and the sender goes on, whoever of the two is asleep.
pub fn window_wakes_sender_and_driver() {
    check(3, || {
        let (link, h2) = (link(), Arc::<H2>::default());
        let cell = StreamCell::new(&h2, &link);
        let sender = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                cell.push();
                block_on(|cx| cell.poll_flushed(cx));
            })
        };
        let peer = thread::spawn(move || h2.window_update());
        drive(&link, || cell.handed.load(Ordering::Relaxed) == 1);
        join(sender);
        join(peer);
        assert!(!link.is_dirty());
    });
}

/// The same where nobody looks at the stream any more: the sender has left its message and gone.
pub fn window_wakes_the_driver_alone() {
    check(3, || {
        let (link, h2) = (link(), Arc::<H2>::default());
        let cell = StreamCell::new(&h2, &link);
        cell.push();
        let peer = {
            let h2 = Arc::clone(&h2);
            thread::spawn(move || h2.window_update())
        };
        drive(&link, || cell.handed.load(Ordering::Relaxed) == 1);
        join(peer);
        assert!(!link.is_dirty());
    });
}

/// The driver is told to end the connection while it goes to sleep.
pub fn an_abort_wakes_the_driver() {
    check(3, || {
        let link = link();
        let aborts = {
            let link = Arc::clone(&link);
            thread::spawn(move || link.abort(why()))
        };
        drive(&link, || false);
        join(aborts);
        assert!(link.aborted().is_some() && !link.is_open());
    });
}
