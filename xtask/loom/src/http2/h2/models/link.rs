//! The end of a connection, and what streams leave behind.

use std::sync::Arc;

use loom::thread;

use super::{drive, link, why};
use crate::http2::h2::cell::{H2, StreamCell, Unsaid};
use crate::http2::slots::Slots;
use crate::sync::Notify;
use crate::world::{check, join, join_all, wait_for};

/// The connection ends while a stream queues a message, another gives its permit back, and a third
/// leaves its handles: none of it stays in the link.
pub fn nothing_is_kept_after_the_end() {
    check(3, || {
        let link = link();
        let slots = Slots::new(1, Arc::new(Notify::new()));
        let cell = StreamCell::new(&H2::open(), &link);
        let token = Arc::new(());
        let queues = {
            let (cell, link, token) = (Arc::clone(&cell), Arc::clone(&link), Arc::clone(&token));
            thread::spawn(move || {
                cell.push();
                link.keep_to_the_end(Unsaid(token));
            })
        };
        let retires = {
            let (permit, link) = (slots.try_take(), Arc::clone(&link));
            thread::spawn(move || {
                if let Some(permit) = permit {
                    link.retire(permit);
                }
            })
        };
        link.close(why());
        join(queues);
        join(retires);
        assert_eq!(cell.holders(), 0, "a queued stream is kept");
        assert_eq!(slots.in_use(), 0, "a permit is kept");
        assert_eq!(Arc::strong_count(&token), 1, "handles are kept");
    });
}

/// Two streams end: the driver, asleep or awake, gives both permits back.
pub fn permits_come_back_once_the_driver_has_written() {
    check(3, || {
        let link = link();
        let slots = Slots::new(2, Arc::new(Notify::new()));
        let ends = [slots.try_take(), slots.try_take()].map(|permit| {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                if let Some(permit) = permit {
                    link.retire(permit);
                }
            })
        });
        drive(&link, || slots.in_use() == 0);
        join_all(ends);
        assert!(slots.try_take().is_some());
    });
}

/// Those who wait for the connection's end, and for its drain, learn of it.
pub fn those_who_wait_for_the_end_learn_of_it() {
    check(3, || {
        let link = link();
        let down = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                wait_for(link.down());
            })
        };
        let ended = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                wait_for(link.ended());
                assert!(link.cause().is_some());
            })
        };
        link.drain(why());
        link.close(why());
        join(down);
        join(ended);
    });
}
