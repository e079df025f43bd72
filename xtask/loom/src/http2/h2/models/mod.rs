//! Models of what a connection's streams, readers and driver meet at.

mod calls;
mod counts;
mod link;
mod slots;
mod streams;

pub use calls::{
    a_cancelled_call_gives_its_stream_back, a_stream_that_is_taken_back_is_had_once,
    calls_that_queue_are_served,
};
pub use counts::{
    a_reader_that_catches_up_ends_the_rest, leases_stay_within_the_limit, readers_ring_once,
    the_alarm_of_a_new_round_is_not_lost,
};
pub use link::{
    nothing_is_kept_after_the_end, permits_come_back_once_the_driver_has_written,
    those_who_wait_for_the_end_learn_of_it,
};
pub use slots::{
    a_freed_permit_wakes_who_waits, a_lowered_limit_loses_no_wake_up,
    a_raised_limit_wakes_who_waits, permits_never_exceed_the_limit,
};
pub use streams::{
    an_abort_wakes_the_driver, every_message_is_handed_over, one_stream_is_queued_once,
    window_wakes_sender_and_driver, window_wakes_the_driver_alone,
};

use std::sync::Arc;
use std::task::Poll;

use trunkline_core::Status;

use super::link::Link;
use crate::http2::Peer;
use crate::world::block_on;

fn link() -> Arc<Link> {
    Link::new(Peer, 64 * 1024, None)
}

fn why() -> Status {
    Status::unavailable("the model ends")
}

/// The loop of a connection's driver: what it looks at, in the product's order, until the end.
fn drive(link: &Link, until: impl Fn() -> bool) {
    let (mut queue, mut leaving) = (Vec::new(), Vec::new());
    block_on(|cx| {
        link.set_driver(cx.waker());
        if link.aborted().is_some() {
            return Poll::Ready(());
        }
        link.take_retired(&mut leaving);
        loop {
            link.drive_streams(&mut queue);
            if !link.is_dirty() {
                break;
            }
        }
        leaving.clear();
        if until() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
}
