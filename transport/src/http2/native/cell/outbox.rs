//! What a stream's tasks want done with it, until the driver takes it.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::{Bytes, BytesMut};
use trunkline_core::Status;

use crate::http2::native::connection::Order;
use crate::http2::native::frame::Reason;
use crate::http2::native::head::ResponseHead;
use crate::http2::native::hpack::Fields;
use crate::http2::native::lent::{Depot, Lend, Shelf};
use crate::http2::native::stream::Chunks;

/// In the order in which it goes out.
#[derive(Debug, Default)]
pub(in super::super) struct Outbox {
    /// Server: the response's head; true if it is all there is.
    head: Option<(ResponseHead, Fields, bool)>,
    data: Queue,
    last: Option<Last>,
    credit: u32,
    /// Nobody reads any more.
    is_ignored: bool,
}

thread_local! {
    static SHELF: Shelf<Outbox> = const { RefCell::new(Vec::new()) };
}

static DEPOT: Depot<Outbox> = Depot::new();

impl Lend for Outbox {
    fn shelf() -> &'static LocalKey<Shelf<Self>> {
        &SHELF
    }

    fn depot() -> &'static Depot<Self> {
        &DEPOT
    }

    #[inline]
    fn clear(&mut self) {
        // Mostly its driver has emptied it.
        if !self.is_empty() {
            *self = Self::default();
        }
    }
}

/// How this side ends its half of a stream.
#[derive(Debug)]
enum Last {
    Trailers(Fields),
    EndStream,
    Reset(Reason),
}

impl Outbox {
    pub(super) fn set_head(&mut self, (head, extra): (ResponseHead, Fields), end: bool) {
        self.head = Some((head, extra, end));
    }

    pub(super) const fn data(&mut self) -> &mut Queue {
        &mut self.data
    }

    pub(super) fn set_trailers(&mut self, trailers: Fields) {
        self.last = Some(Last::Trailers(trailers));
    }

    pub(super) fn set_end(&mut self) {
        self.last = Some(Last::EndStream);
    }

    /// A reset drops what was queued.
    pub(super) fn set_reset(&mut self, reason: Reason) {
        *self = Self::default();
        self.last = Some(Last::Reset(reason));
    }

    pub(super) const fn add_credit(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes);
    }

    pub(super) const fn set_ignored(&mut self) {
        self.is_ignored = true;
    }

    pub(super) const fn has_credit(&self) -> bool {
        self.credit > 0
    }

    /// Bytes of data that wait in it.
    pub(super) const fn queued(&self) -> usize {
        self.data.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        let is_open = self.head.is_none() && self.last.is_none();
        is_open && self.data.len() == 0 && self.credit == 0 && !self.is_ignored
    }

    pub(in super::super) const fn is_reset(&self) -> bool {
        matches!(self.last, Some(Last::Reset(_)))
    }

    /// Turns it into orders; it is empty then.
    pub(in super::super) fn drain(&mut self, mut each: impl FnMut(Order)) {
        if let Some((head, extra, end)) = self.head.take() {
            each(Order::Head { head, extra, end });
        }
        self.data.drain(|chunk| each(Order::Data(chunk)));
        match self.last.take() {
            Some(Last::Trailers(trailers)) => each(Order::Trailers(trailers)),
            Some(Last::EndStream) => each(Order::Finish),
            Some(Last::Reset(reason)) => each(Order::Reset(reason)),
            None => {}
        }
        if self.credit > 0 {
            each(Order::Credit(std::mem::take(&mut self.credit)));
        }
        if std::mem::take(&mut self.is_ignored) {
            each(Order::Ignore);
        }
    }
}

/// Messages in their order: small ones in one buffer, large ones as they are.
#[derive(Debug, Default)]
pub(in super::super) struct Queue {
    chunks: Chunks,
    tail: BytesMut,
    len: usize,
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Appends what `write` writes; how much that was.
    pub(super) fn append(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<usize, Status> {
        let before = self.tail.len();
        if let Err(status) = write(&mut self.tail) {
            self.tail.truncate(before);
            return Err(status);
        }
        let written = self.tail.len().saturating_sub(before);
        self.len += written;
        Ok(written)
    }

    /// Appends a chunk without copying it.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.cut_tail();
        self.len += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn cut_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.chunks.push_back(tail);
        }
    }

    /// Takes everything out. The buffer of small messages keeps its room.
    pub(super) fn take(&mut self) -> Self {
        self.cut_tail();
        Self {
            chunks: std::mem::take(&mut self.chunks),
            tail: BytesMut::new(),
            len: std::mem::take(&mut self.len),
        }
    }

    /// The chunks, once everything is in them.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }

    fn drain(&mut self, mut each: impl FnMut(Bytes)) {
        self.len = 0;
        while let Some(chunk) = self.chunks.pop_front() {
            each(chunk);
        }
        // Whole: a buffer that is shared with nobody needs no count of those who share it, and what
        // room is left belongs to these messages.
        let tail = std::mem::take(&mut self.tail);
        if !tail.is_empty() {
            each(tail.freeze());
        }
    }
}
