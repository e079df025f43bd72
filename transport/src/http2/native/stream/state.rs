//! One stream as the machine keeps it: its two halves (RFC 9113 §5.1), its windows, and what of it
//! waits at either side.

use std::time::{Duration, Instant};

use super::super::connection::Inbound;
use super::super::flow::{RecvWindow, SendWindow};
use super::super::frame::StreamId;
use super::queue::SendQueue;

/// How far our half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sending {
    /// Our head was not placed in the output yet.
    Head,
    Body,
    /// END_STREAM is placed.
    Ended,
}

/// How far the peer's half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Receiving {
    /// Client: the final head has not come.
    Head,
    Body,
    Ended,
}

/// Which window is used up while data waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Blocked {
    No,
    Stream,
    /// It stands in the queue of those that wait for it.
    Connection,
}

/// In which batch of events the stream was last named, so that each kind is there once.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Marks {
    pub(in super::super) touched: u64,
    pub(in super::super) sent: u64,
    /// Where the batch counts its bytes.
    pub(in super::super) sent_at: usize,
}

#[derive(Debug)]
pub(in super::super) struct Stream {
    pub(in super::super) id: StreamId,
    pub(in super::super) opened: Instant,
    pub(in super::super) sending: Sending,
    pub(in super::super) receiving: Receiving,
    /// Nothing happens to it any more: the driver was told, or is about to be.
    pub(in super::super) is_closed: bool,
    pub(in super::super) blocked: Blocked,
    /// When that began, if it is.
    pub(in super::super) blocked_at: Instant,
    /// Client: heads with 1xx that have come.
    pub(in super::super) interim: u8,
    pub(in super::super) inbound: Inbound,
    pub(in super::super) recv: RecvWindow,
    /// Payload that has come, and its reader has not told that it took it.
    pub(in super::super) unread: u32,
    /// Nobody will read any more.
    pub(in super::super) is_ignored: bool,
    /// What a peer that did not know our window yet has sent beyond it.
    pub(in super::super) beyond: u32,
    /// Server: the time that its client gives it, if that is short.
    pub(in super::super) timeout: Option<Duration>,
    /// What is missing to its content-length.
    pub(in super::super) length_left: Option<u64>,
    pub(in super::super) send: SendWindow,
    pub(in super::super) queue: SendQueue,
    /// How much had ever been placed in the output when its head was.
    pub(in super::super) head_offset: Option<u64>,
    /// What its reader has taken in this round of the window's growth.
    pub(in super::super) taken: Taken,
    pub(in super::super) marks: Marks,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Taken {
    pub(in super::super) round: u32,
    pub(in super::super) bytes: u64,
}

impl Stream {
    /// Where `interim` stands for a call that ends by its deadline, however many come.
    pub(in super::super) const UNCOUNTED: u8 = u8::MAX;

    #[inline]
    pub(in super::super) fn new(
        id: StreamId,
        receiving: Receiving,
        recv: u32,
        send: u32,
        now: Instant,
    ) -> Self {
        Self {
            id,
            opened: now,
            sending: Sending::Head,
            receiving,
            is_closed: false,
            blocked: Blocked::No,
            blocked_at: now,
            interim: 0,
            inbound: Inbound::default(),
            recv: RecvWindow::new(recv),
            unread: 0,
            is_ignored: false,
            beyond: 0,
            timeout: None,
            length_left: None,
            send: SendWindow::new(send),
            queue: SendQueue::default(),
            head_offset: None,
            taken: Taken::default(),
            marks: Marks::default(),
        }
    }

    /// Something is to be sent for which a head went ahead.
    pub(in super::super) fn is_ready(&self) -> bool {
        self.sending == Sending::Body && !self.queue.is_empty()
    }

    /// Bytes that lie here for somebody else.
    pub(in super::super) fn held(&self) -> u64 {
        let queued = u64::try_from(self.queue.bytes()).unwrap_or(u64::MAX);
        queued.saturating_add(u64::from(self.unread))
    }

    /// Counts a payload against the content-length; false if that does not hold.
    pub(in super::super) fn count_length(&mut self, bytes: usize, end: bool) -> bool {
        let Some(left) = &mut self.length_left else {
            return true;
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                !end || rest == 0
            }
            None => false,
        }
    }
}
