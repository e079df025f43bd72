//! The one task per connection: it owns the socket and everything else, and decides nothing.
//!
//! A turn reads what is there, does what the streams' tasks have asked for, hands over what has come,
//! and writes once. [`Core`] says what happens; [`Link`] is where the tasks meet the driver; the
//! cells are where they meet what came for them. See `turn.rs` for the order.

mod alarm;
mod client;
mod closing;
mod deadline;
mod deliver;
mod held;
mod mail;
mod read;
mod server;
mod turn;
mod write;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use trunkline_core::Status;

use self::alarm::Alarm;
use self::closing::{Closing, Death, Patience};
use self::turn::Stage;
use super::cell::StreamCell;
use super::connection::{Core, Event, Role, StreamKey};
use super::frame::Reader;
use super::head::Request;
use super::link::{Link, Mail};
use super::out::Out;
use super::stall::WriteStall;
use crate::http2::heard::Heard;
use crate::http2::held::Holder;
use crate::http2::pace::runs_on_one_thread;
use crate::http2::slots::{Permit, Slots};
use crate::http2::spare::SpareWatch;
use crate::{BoxIo, now};

pub(super) use self::client::ClientDriver;
pub(super) use self::server::ServerDriver;

/// How long buffers are kept that nobody uses: longer than a call takes to most servers, so that
/// one call after another allocates nothing for its connection.
const IDLE: Duration = Duration::from_millis(250);

/// What a turn may end in.
#[derive(Debug)]
pub(super) enum Turn {
    /// The peer's first SETTINGS are here.
    Settled,
    /// Server: a client has opened a stream.
    Accepted(Arc<StreamCell>, Request),
    /// The connection is over; an error unless it ended in order.
    Ended(Option<Status>),
}

/// A connection with all that belongs to it.
struct Driver {
    io: BoxIo,
    reader: Reader,
    core: Core,
    out: Out,
    link: Arc<Link>,
    role: Role,
    /// Client: the permits of all streams.
    slots: Option<Arc<Slots>>,
    /// By the slots of the machine's keys.
    streams: Vec<Option<Slot>>,
    /// Client: none of their deadlines is earlier.
    soonest: Option<Instant>,
    /// How many of them nobody waits for any more.
    forsaken: usize,
    /// Taken from the mailbox; keeps its room.
    mail: Mail,
    events: Vec<Event>,
    /// The first event that was not looked at.
    next_event: usize,
    wakers: Vec<Waker>,
    stage: Stage,
    /// Mail that came while the driver ran, in this turn.
    rounds: u8,
    /// Senders run between two turns: what goes on may wait for more.
    waits_for_more: bool,
    /// For how many turns it has.
    waited: u8,
    now: Instant,
    alarm: Alarm,
    spare_watch: SpareWatch,
    heard: Heard,
    is_settled: bool,
    /// There may be more to read, or to write: the driver goes on by itself.
    goes_on: bool,
    /// Reading was put off until the answers that wait are written.
    is_congested: bool,
    /// What is written has to be flushed.
    is_flushing: bool,
    stall: WriteStall,
    /// Server: what all its connections hold for others.
    holder: Option<Holder>,
    /// Server: senders wait until nothing of theirs waits, because memory is short.
    is_sparing: bool,
    keepalive_timeout: Duration,
    /// Buffers are looked at then, whether they are used.
    idle_at: Option<Instant>,
    active_at: Instant,
    was_active: bool,
    /// Client: nobody will open anything more.
    is_let_go: bool,
    /// Client: until when the peer has time to take the last words.
    goodbye: Option<Patience>,
    death: Option<Death>,
    /// Client: why nothing can be written any more. What has come before is read nevertheless.
    unwritten: Option<io::Error>,
    /// Server: clients had not taken all of their answers when the last stream had ended.
    has_owed: bool,
    /// What the peer did, if this side has hung up for it.
    breach: Option<&'static str>,
    closing: Option<Box<Closing>>,
}

/// A stream that is open.
#[derive(Debug)]
struct Slot {
    key: StreamKey,
    cell: Arc<StreamCell>,
    /// Client: given back when the stream is over and all that ends it is in the output.
    #[allow(dead_code, reason = "its drop is what it is for")]
    permit: Option<Permit>,
    /// Its tasks have reset it.
    is_forsaken: bool,
    /// Somebody waits for the way of what it sends.
    has_sender: bool,
    /// Client: when its reader is to be woken, unless it has been.
    deadline: Option<Instant>,
}

/// What a driver is made of.
struct Parts {
    io: BoxIo,
    reader: Reader,
    core: Core,
    link: Arc<Link>,
    role: Role,
    slots: Option<Arc<Slots>>,
    write_timeout: Option<Duration>,
    holder: Option<Holder>,
    keepalive_timeout: Duration,
}

impl Driver {
    fn new(parts: Parts) -> Self {
        let now = now();
        let mut out = Out::default();
        if !tokio::io::AsyncWrite::is_write_vectored(&parts.io) {
            out.copy_up_to(write::COPIED);
        }
        Self {
            io: parts.io,
            reader: parts.reader,
            core: parts.core,
            out,
            link: parts.link,
            role: parts.role,
            slots: parts.slots,
            streams: Vec::new(),
            soonest: None,
            forsaken: 0,
            mail: Mail::default(),
            events: Vec::new(),
            next_event: 0,
            wakers: Vec::new(),
            stage: Stage::Begin,
            rounds: 0,
            waits_for_more: runs_on_one_thread(),
            waited: 0,
            now,
            alarm: Alarm::default(),
            spare_watch: SpareWatch::new(),
            heard: Heard::default(),
            is_settled: false,
            goes_on: false,
            is_congested: false,
            is_flushing: false,
            stall: WriteStall::new(parts.write_timeout),
            holder: parts.holder,
            is_sparing: false,
            keepalive_timeout: parts.keepalive_timeout,
            idle_at: None,
            active_at: now,
            was_active: true,
            is_let_go: false,
            goodbye: None,
            death: None,
            unwritten: None,
            has_owed: false,
            breach: None,
            closing: None,
        }
    }

    /// Bytes have passed: buffers are kept for a while.
    const fn is_used(&mut self) {
        self.active_at = self.now;
        self.was_active = true;
    }

    /// True at the beginning of a turn.
    fn is_resting(&self) -> bool {
        self.stage == Stage::Begin
    }

    /// Streams whose tasks have asked for nothing since they were last looked at: good enough for
    /// the pace.
    fn running(&self) -> usize {
        self.core.open().saturating_sub(self.link.waiting())
    }

    fn slot(&mut self, key: StreamKey) -> Option<&mut Slot> {
        let index = usize::try_from(key.slot).ok()?;
        let slot = self.streams.get_mut(index)?.as_mut();
        slot.filter(|slot| slot.key == key)
    }

    fn insert(&mut self, slot: Slot) {
        let Ok(index) = usize::try_from(slot.key.slot) else {
            return;
        };
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        if let Some(at) = slot.deadline {
            self.watch_deadline(at);
        }
        if let Some(place) = self.streams.get_mut(index) {
            *place = Some(slot);
        }
    }

    fn remove(&mut self, key: StreamKey) -> Option<Slot> {
        let index = usize::try_from(key.slot).ok()?;
        let place = self.streams.get_mut(index)?;
        let slot = place.take_if(|slot| slot.key == key)?;
        self.forsaken = self.forsaken.saturating_sub(usize::from(slot.is_forsaken));
        Some(slot)
    }

    fn wake_all(&mut self) {
        if self.wakers.is_empty() {
            return;
        }
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}
