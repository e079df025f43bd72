//! The connection as one state machine: events in, actions out, `now` given.
//!
//! What comes from the peer is [`Core::frame`], what our own side wants is [`Core::start`],
//! [`Core::order`] and [`Core::control`], and time is [`Core::tick`]. What follows from it is in
//! [`Core::events`] for our side and by [`Core::fill`] for the peer.

mod arrived;
mod config;
mod events;
mod goaway;
mod growth;
mod guards;
mod heads;
mod held;
mod inbound;
mod late;
mod orders;
mod outbound;
mod place;
mod settings;
mod tick;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::BytesMut;

use self::events::Events;
use self::goaway::Leaving;
use self::growth::Growth;
use self::held::bytes_of;
use self::place::{Heads, OutHead};
use self::settings::{Local, Remote};
use super::flow::{RecvWindow, SendWindow};
use super::frame::{Fatal, Reason, StreamId, write};
use super::guard::Guard;
use super::head::HeadBuilder;
use super::hpack::{Decoder, Encoder};
use super::ping::Pings;
use super::schedule::Ring;
use super::stall::StreamStalls;
use super::stream::{Blocked, Closed, Fin, Receiving, Stream, Table};
use super::strikes::Strikes;
use crate::http2::held::Pressure;
use crate::http2::keepalive::Policy;

pub(super) use self::arrived::{Inbound, Parts};
pub(super) use self::config::{Config, Role};
pub(super) use self::goaway::printable;
pub(super) use self::heads::{MAX_INTERIM, TOO_MANY_INTERIM};
pub(super) use self::held::MEMORY_SHORT;
pub(super) use self::orders::{Control, End, Event, Order, Start, StreamKey};
pub(super) use self::tick::{KEEPALIVE_TIMEOUT, sooner};

/// Control answers that may wait until nothing more is read.
const CONGESTED: usize = 64 * 1024;

/// Leftovers in a queue that are not worth a sweep.
const SLACK: usize = 64;

/// A connection window before anybody has widened it (RFC 9113 §6.9.2).
const FIRST_WINDOW: u32 = 65_535;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Core {
    role: Role,
    local: Local,
    remote: Remote,
    streams: Table<Stream>,
    /// Streams that are not closed.
    open: usize,
    closed: Closed,
    ids: Ids,
    decoder: Decoder,
    encoder: Encoder,
    builder: HeadBuilder,
    /// Where a head is encoded before it is cut into frames.
    block: BytesMut,
    recv: RecvWindow,
    send: SendWindow,
    /// Answers and credit, ahead of everything else.
    control: BytesMut,
    /// Heads that wait, in the order in which they were wanted.
    heads: Heads,
    ring: Ring,
    /// Bytes that heads have brought since the last turn of the ring.
    run: usize,
    /// Those that wait for the connection's window, in their order.
    starved: VecDeque<StreamKey>,
    events: Events,
    /// Closed streams that the driver was told of and may still look at.
    told: Vec<StreamKey>,
    leaving: Leaving,
    /// What a peer may make us do for nothing.
    guard: Guard,
    strikes: Option<Strikes>,
    pings: Pings,
    growth: Option<Growth>,
    keepalive: Option<Policy>,
    /// What streams hold for others: requests unread, responses unsent.
    held: u64,
    stalls: StreamStalls,
    pressure: Pressure,
    /// Nothing but control is placed where as much waits.
    full: usize,
    /// Bytes of requests that were ever taken by their readers.
    taken: u64,
    /// When reading has ended last: what comes now may have waited since.
    looked: Instant,
    /// SETTINGS whose ACK is not in the output yet.
    settings_owed: u32,
    /// That of the present batch.
    now: Instant,
}

/// Which numbers were used.
#[derive(Debug)]
struct Ids {
    /// Client: our next one.
    next: u32,
    /// The largest that the peer has used.
    last: StreamId,
    /// What it skipped right before that one begins above this.
    gap: StreamId,
    /// The largest that we have taken.
    taken: StreamId,
}

impl Core {
    /// Its preface and SETTINGS are the first output.
    pub(super) fn new(config: Config, now: Instant) -> Self {
        let mut control = BytesMut::new();
        let local = Local::new(&config, now, &mut control);
        let mut recv = RecvWindow::new(FIRST_WINDOW);
        // One that is narrower than a stream's would hold that stream up.
        let window = config.connection_window.max(local.window());
        if let Some(by) = recv.grow(window) {
            write::window_update(StreamId::ZERO, by, &mut control);
        }
        let memory = match config.role {
            Role::Client => Closed::CLIENT,
            Role::Server => Closed::SERVER,
        };
        Self {
            role: config.role,
            remote: Remote::default(),
            streams: Table::new(),
            open: 0,
            closed: Closed::new(memory),
            ids: Ids {
                next: 1,
                last: StreamId::ZERO,
                gap: StreamId::ZERO,
                taken: StreamId::ZERO,
            },
            decoder: Decoder::new(settings::TABLE),
            encoder: Encoder::new(),
            builder: HeadBuilder::new(config.max_header_list),
            block: BytesMut::new(),
            recv,
            send: SendWindow::new(FIRST_WINDOW),
            control,
            heads: Heads::new(),
            ring: Ring::default(),
            run: 0,
            starved: VecDeque::new(),
            events: Events::new(),
            told: Vec::new(),
            leaving: Leaving::default(),
            guard: Guard::new(&config.limits, now),
            strikes: config.strikes,
            pings: Pings::default(),
            growth: config
                .bdp
                .map(|bdp| Growth::new(bdp, config.lease, local.streams())),
            keepalive: config.keepalive,
            held: 0,
            stalls: StreamStalls::new(config.stream_stall),
            pressure: Pressure::Low,
            full: place::FULL,
            taken: 0,
            looked: now,
            settings_owed: 0,
            now,
            local,
        }
    }

    /// So many bytes were read.
    pub(super) fn heard(&mut self, bytes: u64, now: Instant) {
        if let Some(policy) = &mut self.keepalive {
            policy.heard(bytes, now);
        }
    }

    /// Client: opens a stream. `None`: nothing can be opened on this connection any more, and
    /// nothing of this one was sent.
    pub(super) fn start(&mut self, start: Start, now: Instant) -> Option<StreamKey> {
        self.now = now;
        if !self.may_start() {
            return None;
        }
        let id = StreamId(self.ids.next);
        self.ids.next = self.ids.next.saturating_add(2);
        let (recv, send) = (self.local.window(), self.remote.window());
        let stream = Stream::new(id, Receiving::Head, recv, send, now);
        let key = self.streams.insert(id, stream);
        // Where it lies: it is large.
        let stream = self.streams.get_mut(key)?;
        self.held = self.held.saturating_add(bytes_of(&start.data));
        stream.queue.push(start.data);
        if start.has_deadline {
            stream.interim = Stream::UNCOUNTED;
        }
        if start.end {
            stream.queue.set_fin(Fin::EndStream);
        }
        self.open += 1;
        self.guard.opened();
        let head = OutHead::Request(start.form, start.extra);
        self.push_head(key, head);
        self.leave_in_time();
        self.wake_keepalive();
        Some(key)
    }

    /// Empties the list of what has happened into this one. Streams whose end was in the list
    /// before are gone then.
    pub(super) fn events(&mut self, into: &mut Vec<Event>) {
        self.release();
        self.events.hand_over(into, &mut self.told);
    }

    /// Lets go of streams whose end was told.
    pub(super) fn release(&mut self) {
        if self.told.is_empty() {
            return;
        }
        for key in self.told.drain(..) {
            self.streams.discard(key);
        }
    }

    /// What has arrived for a stream.
    pub(super) fn inbound(&mut self, key: StreamKey) -> Option<&mut Inbound> {
        self.streams.get_mut(key).map(|stream| &mut stream.inbound)
    }

    /// How many bytes of output had ever been placed when this stream's head was; `None` before.
    /// What the socket took says whether the peer can have seen it.
    pub(super) fn head_offset(&self, key: StreamKey) -> Option<u64> {
        self.streams.get(key)?.head_offset
    }

    /// Its number.
    #[cfg(test)]
    pub(super) fn id(&self, key: StreamKey) -> Option<StreamId> {
        Some(self.streams.get(key)?.id)
    }

    /// How many streams are open.
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// So many answers wait for the socket that nothing more should be read.
    pub(super) fn is_congested(&self) -> bool {
        self.control.len() > CONGESTED
    }

    /// Gives back what a burst has left behind.
    pub(super) fn shrink(&mut self) {
        self.release();
        self.streams.shrink();
        self.ring.shrink();
        self.events.shrink();
        self.heads.shrink_to_fit();
        self.starved.shrink_to_fit();
        self.told.shrink_to_fit();
        self.block = BytesMut::new();
        self.decoder.shrink();
        self.encoder.shrink();
        self.builder.shrink();
        if self.control.is_empty() {
            self.control = BytesMut::new();
        }
    }

    /// An open stream by its number.
    fn find(&mut self, id: StreamId) -> Option<StreamKey> {
        let key = self.streams.find(id)?;
        let stream = self.streams.get(key)?;
        (!stream.is_closed).then_some(key)
    }

    /// Nothing happens to it any more; what it held for the peer is dropped.
    fn close(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if std::mem::replace(&mut stream.is_closed, true) {
            return;
        }
        let held = stream.held();
        self.held = self.held.saturating_sub(held);
        stream.unread = 0;
        stream.queue.clear();
        stream.blocked = Blocked::No;
        self.open = self.open.saturating_sub(1);
        self.ring.remove(key);
        self.events.close(key);
        self.sweep();
    }

    /// What streams that are gone have left in queues does not add up.
    fn sweep(&mut self) {
        let most = 2 * self.open + SLACK;
        let streams = &self.streams;
        let is_open = |key: StreamKey| streams.get(key).is_some_and(|stream| !stream.is_closed);
        if self.heads.len() > most {
            self.heads.retain(|(key, _)| is_open(*key));
        }
        if self.starved.len() > most {
            self.starved.retain(|key| is_open(*key));
        }
    }

    /// Ends a stream by RST_STREAM, if its peer knows of it.
    fn reset(&mut self, key: StreamKey, reason: Reason) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        let is_known = self.role == Role::Server || stream.head_offset.is_some();
        if !stream.is_closed && is_known {
            write::reset(stream.id, reason, &mut self.control);
            if stream.receiving != Receiving::Ended {
                let (id, left) = (stream.id, stream.recv.left());
                self.forgive(id, left);
            }
        }
        self.close(key);
    }

    /// The peer has broken a rule or a limit with a stream.
    fn fault(&mut self, key: StreamKey, reason: Reason, text: &'static str) -> Result<(), Fatal> {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.inbound.end = Some(End::Fault(reason, text));
            self.events.touch(key, &mut stream.marks);
        }
        self.reset(key, reason);
        self.provoked()
    }

    /// The same for a stream that was not even opened.
    fn reject(&mut self, id: StreamId, reason: Reason) {
        write::reset(id, reason, &mut self.control);
        self.forgive(id, self.local.window().max(FIRST_WINDOW));
    }
}
