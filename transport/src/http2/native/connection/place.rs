//! What goes out, and in which order: answers of the connection, then heads with what fits at once,
//! then DATA of each stream that is ready, a frame per turn.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::frame::{Reason, write};
use super::super::head::{RequestForm, ResponseHead};
use super::super::hpack::{Fields, request_fits, response_fits};
use super::super::out::Out;
use super::super::stream::{Blocked, Fin, Receiving, Sending, Stream};
use super::{Core, End, Event, Role, StreamKey};

/// Nothing but control is placed where as much waits.
pub(super) const FULL: usize = 256 * 1024;

/// The same however short memory is: a frame goes, and one waits behind it.
pub(super) const SPARING: usize = 8 * 1024;

/// Messages that go with their head at once, and the longest DATA frame of a turn.
const TURN: usize = 16 * 1024;

/// Heads and what goes with them take so much at most before a ready stream has its turn, or those
/// that open streams without end would hold up all others.
const RUN: usize = 2 * TURN;

/// A head that waits.
#[derive(Debug)]
pub(super) enum OutHead {
    Request(Arc<RequestForm>, Fields),
    Response(ResponseHead, Fields),
}

impl OutHead {
    /// Whether its header list is no larger than that.
    fn fits(&self, limit: usize) -> bool {
        match self {
            Self::Request(form, extra) => request_fits(form, extra, limit),
            Self::Response(head, extra) => response_fits(head, extra, limit),
        }
    }
}

/// Heads in the order in which they were wanted.
pub(super) type Heads = VecDeque<(StreamKey, OutHead)>;

/// For how many a thread keeps room: as many as most connections answer at once.
const KEPT: usize = 128;

thread_local! {
    /// Room for heads. A connection has it until they are placed.
    static HEADS: Cell<Heads> = const { Cell::new(Heads::new()) };
}

/// What a turn has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// More is ready.
    Again,
    /// It waits for more from our side, for a window, or for nothing.
    Over,
}

impl Core {
    /// A head is wanted.
    #[inline]
    pub(super) fn push_head(&mut self, key: StreamKey, head: OutHead) {
        // Where a thread's values are gone already each connection has its own.
        if self.heads.capacity() == 0
            && let Ok(heads) = HEADS.try_with(Cell::take)
        {
            self.heads = heads;
        }
        self.heads.push_back((key, head));
    }

    /// Gives the room for heads to the thread once all are placed.
    #[inline]
    fn give_heads_back(&mut self) {
        if self.heads.is_empty() && self.heads.capacity() > 0 {
            let heads = std::mem::take(&mut self.heads);
            if heads.capacity() <= KEPT {
                let _ = HEADS.try_with(|place| place.set(heads));
            }
        }
    }

    /// Gives back the memory of this thread's room for heads.
    pub(in super::super) fn release_heads() {
        let heads = HEADS.try_with(Cell::take);
        drop(heads);
    }

    /// Places what there is, as long as the socket takes it.
    pub(in super::super) fn fill(&mut self, out: &mut Out, now: Instant) {
        self.now = now;
        if out.len() >= FULL {
            return;
        }
        self.place_control(out);
        if self.leaving.is_closed() {
            return;
        }
        while out.len() < self.full {
            let may_begin = self.run < RUN || self.ring.is_empty();
            if let Some((key, head)) = self.heads.pop_front_if(|_| may_begin) {
                let before = out.len();
                self.place_head(key, &head, out);
                self.run += out.len() - before;
            } else if let Some(key) = self.ring.pop() {
                self.run = 0;
                if self.place_turn(key, out) == Turn::Again {
                    self.ring.push(key);
                }
            } else {
                break;
            }
        }
        self.give_heads_back();
        // Fields that the peer would not take are answered by a reset.
        self.place_control(out);
    }

    /// Places the heads that wait, however much waits before them, and what goes with them at once.
    pub(in super::super) fn place_heads(&mut self, out: &mut Out, now: Instant) {
        self.now = now;
        self.place_control(out);
        while let Some((key, head)) = self.heads.pop_front() {
            self.place_head(key, &head, out);
        }
    }

    pub(super) fn place_control(&mut self, out: &mut Out) {
        if !self.control.is_empty() {
            out.small().extend_from_slice(&self.control);
            self.control.clear();
            self.settings_owed = 0;
        }
    }

    fn place_head(&mut self, key: StreamKey, head: &OutHead, out: &mut Out) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if stream.is_closed || stream.sending != Sending::Head {
            return;
        }
        if !self.remote.takes(|limit| head.fits(limit)) {
            return self.too_large(key);
        }
        self.block.clear();
        match head {
            OutHead::Request(form, extra) => self.encoder.request(form, extra, &mut self.block),
            OutHead::Response(head, extra) => self.encoder.response(head, extra, &mut self.block),
        }
        // The end of a request is said by DATA, if it be empty (gRPC over HTTP/2, "Requests"): there
        // are servers that wait for it.
        let is_answer = matches!(head, OutHead::Response(..));
        let is_ended = stream.queue.bytes() == 0 && matches!(stream.queue.fin(), Fin::EndStream);
        let end = is_answer && is_ended;
        let most = self.remote.max_frame();
        write::headers(stream.id, &self.block, end, most, out.small());
        stream.head_offset = Some(out.placed());
        stream.sending = Sending::Body;
        let (is_ready, is_small) = (stream.is_ready(), stream.queue.bytes() <= TURN);
        self.sent_head();
        if end {
            self.sent_end(key, out);
        } else if is_ready && (!is_small || self.place_turn(key, out) == Turn::Again) {
            self.ring.push(key);
        }
    }

    /// One DATA frame of a stream, and its end if that follows.
    fn place_turn(&mut self, key: StreamKey, out: &mut Out) -> Turn {
        let Some(stream) = self.streams.get_mut(key) else {
            return Turn::Over;
        };
        if stream.is_closed || !stream.is_ready() {
            return Turn::Over;
        }
        if stream.queue.bytes() > 0 {
            let length = stream.queue.bytes().min(TURN);
            let wanted = u32::try_from(length).unwrap_or(u32::MAX);
            let (own, all) = (stream.send.available(), self.send.available());
            let granted = wanted.min(own).min(all);
            if granted == 0 {
                self.block_on(key, own);
                return Turn::Over;
            }
            let length = usize::try_from(granted).unwrap_or(length);
            let is_last = length == stream.queue.bytes();
            let end = is_last && matches!(stream.queue.fin(), Fin::EndStream);
            write::data_head(stream.id, length, end, out.small());
            stream.queue.place(length, out);
            stream.send.consume(granted);
            self.send.consume(granted);
            self.events.sent(key, &mut stream.marks, granted);
            self.held = self.held.saturating_sub(u64::from(granted));
            self.sent_data(granted, granted < wanted);
            if end {
                self.sent_end(key, out);
                return Turn::Over;
            }
            if !is_last {
                return Turn::Again;
            }
        }
        self.place_fin(key, out);
        Turn::Over
    }

    /// What follows the last byte, which is placed.
    fn place_fin(&mut self, key: StreamKey, out: &mut Out) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        match stream.queue.take_fin() {
            Fin::Open => {}
            Fin::EndStream => {
                write::data_head(stream.id, 0, true, out.small());
                self.sent_end(key, out);
            }
            Fin::Trailers(fields) => {
                if !self.remote.takes(|limit| fields.list_size() <= limit) {
                    return self.too_large(key);
                }
                self.block.clear();
                self.encoder.trailers(&fields, &mut self.block);
                let most = self.remote.max_frame();
                write::headers(stream.id, &self.block, true, most, out.small());
                self.sent_end(key, out);
            }
        }
    }

    /// END_STREAM is placed.
    fn sent_end(&mut self, key: StreamKey, out: &mut Out) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        stream.sending = Sending::Ended;
        stream.queue.clear();
        if stream.receiving == Receiving::Ended {
            self.completed(key);
        } else if self.role == Role::Server {
            // The answer is complete: what the client has still to say is not wanted.
            write::reset(stream.id, Reason::NO_ERROR, out.small());
            let (id, left) = (stream.id, stream.recv.left());
            self.forgive(id, left);
            self.close(key);
        }
    }

    fn block_on(&mut self, key: StreamKey, own: u32) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let was = stream.blocked;
        stream.blocked = if own == 0 {
            Blocked::Stream
        } else {
            Blocked::Connection
        };
        if stream.blocked == Blocked::Connection && was != Blocked::Connection {
            self.starved.push_back(key);
        }
        if was == Blocked::No {
            stream.blocked_at = self.now;
            self.stalls.blocked(self.now);
            self.events.push(Event::Blocked(key, true));
        }
    }

    /// The peer would not take these fields, so they are not sent.
    fn too_large(&mut self, key: StreamKey) {
        if let Some(Stream { inbound, marks, .. }) = self.streams.get_mut(key) {
            let text = "a header list over the peer's limit (SETTINGS_MAX_HEADER_LIST_SIZE)";
            inbound.end = Some(End::Fault(Reason::INTERNAL_ERROR, text));
            self.events.touch(key, marks);
        }
        self.reset(key, Reason::INTERNAL_ERROR);
    }
}
