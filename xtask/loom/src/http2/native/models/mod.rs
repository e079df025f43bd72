//! Models of what the tasks of RPCs and the driver of their connection meet at.

mod ends;
mod mail;

pub use ends::{
    a_call_that_is_dropped_is_opened_and_reset_or_neither, a_lost_connection_ends_all_who_wait,
    a_restarted_call_is_sent_once_where_it_went,
};
pub use mail::{
    a_reader_hears_of_its_deadline, a_reader_hears_of_what_came,
    a_sender_goes_on_when_there_is_room, every_post_is_seen, three_tasks_of_a_stream_are_all_woken,
};

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use trunkline_core::Status;

use super::cell::{Begun, StreamCell};
use super::connection::{End, Inbound, Order, Start, StreamKey};
use super::head::RequestForm;
use super::hpack::Fields;
use super::link::{Link, Mail, Opening};
use crate::http2::Peer;
use crate::http2::slots::{Permit, Slots};
use crate::sync::Notify;
use crate::world::block_on;

const KEY: StreamKey = StreamKey {
    slot: 0,
    generation: 1,
};

fn link() -> Arc<Link> {
    Link::new(Peer, 64 * 1024, None)
}

fn why() -> Status {
    Status::unavailable("the model ends")
}

/// A server's stream.
fn served(link: &Arc<Link>, key: StreamKey) -> Arc<StreamCell> {
    StreamCell::server(Arc::clone(link), key, &mut Inbound::default())
}

fn permit() -> Permit {
    let slots = Slots::new(1, Arc::new(Notify::new()));
    slots.try_take().expect("one is free")
}

fn opening(cell: &Arc<StreamCell>, data: Bytes) -> Opening {
    Opening {
        cell: Arc::clone(cell),
        permit: permit(),
        start: Start {
            form: Arc::new(RequestForm),
            extra: Fields,
            data,
            end: false,
            has_deadline: false,
        },
        has_sender: true,
        deadline: None,
    }
}

fn chunk() -> Inbound {
    let mut inbound = Inbound::default();
    inbound.store(Bytes::from_static(b"chunk"));
    inbound
}

fn ended(end: End) -> Inbound {
    let mut inbound = Inbound::default();
    inbound.end = Some(end);
    inbound
}

/// What a driver has seen.
#[derive(Debug, Default)]
struct Seen {
    opened: usize,
    dropped: usize,
    sent: usize,
    resets: usize,
}

/// The loop of a driver: what it looks at, in the product's order, until `done`. `turn` is what else
/// it does in each turn.
fn drive(
    link: &Arc<Link>,
    mut turn: impl FnMut(&mut Context<'_>, &mut Vec<Waker>),
    mut done: impl FnMut(&Seen) -> bool,
) -> Seen {
    let mut seen = Seen::default();
    let mut mail = Mail::default();
    block_on(|cx| {
        loop {
            let mut wakers = Vec::new();
            link.take(&mut mail);
            look(link, &mut mail, &mut seen, &mut wakers);
            turn(cx, &mut wakers);
            wakers.into_iter().for_each(Waker::wake);
            if done(&seen) {
                return Poll::Ready(());
            }
            if link.park(cx.waker()) {
                return Poll::Pending;
            }
        }
    });
    seen
}

fn look(link: &Arc<Link>, mail: &mut Mail, seen: &mut Seen, wakers: &mut Vec<Waker>) {
    for opening in mail.starts.drain(..) {
        match opening.cell.begin(|| Some(KEY), wakers) {
            Begun::Yes(_) => seen.opened += 1,
            Begun::Dropped | Begun::Refused => seen.dropped += 1,
        }
        seen.sent += opening.start.data.len();
    }
    for cell in mail.streams.drain(..) {
        let Some((key, mut outbox)) = cell.collect(link) else {
            continue;
        };
        let Some(outbox) = outbox.get_mut() else {
            continue;
        };
        let mut bytes = 0;
        outbox.drain(|order| match order {
            Order::Data(data) => bytes += u32::try_from(data.len()).expect("a few"),
            Order::Reset(_) => seen.resets += 1,
            Order::Head { .. }
            | Order::Trailers(_)
            | Order::Finish
            | Order::Credit(_)
            | Order::Ignore => {}
        });
        seen.sent += bytes as usize;
        cell.sent(link, key, bytes, wakers);
    }
}

fn push(cell: &Arc<StreamCell>) -> Result<(), Status> {
    cell.push_frame(Bytes::from_static(b"x"))
}
