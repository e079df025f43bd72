//! What streams hold for others, and which of them lose it: the largest where memory is short,
//! those that stall for too long.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::super::frame::Reason;
use super::super::guard::STREAM_STALLED;
use super::super::stream::{Blocked, Stream};
use super::place::{FULL, SPARING};
use super::{Core, End, StreamKey};
use crate::http2::held::Pressure;

/// What a status says of a stream that was the largest when memory was short.
pub(in super::super) const MEMORY_SHORT: &str =
    "the largest stream of a server whose connections hold too much (setting max_held_bytes)";

impl Core {
    /// Bytes of requests that nobody has read, and of responses that are not in the output.
    pub(in super::super) const fn held(&self) -> u64 {
        self.held
    }

    /// Lets go of the stream that holds most; false if none holds anything.
    pub(in super::super) fn shed(&mut self, now: Instant) -> bool {
        self.now = now;
        let open = self
            .streams
            .entries()
            .filter(|(_, stream)| !stream.is_closed);
        let largest = open.max_by_key(|(_, stream)| stream.held());
        match largest {
            Some((key, stream)) if stream.held() > 0 => {
                self.cut(key, Reason::ENHANCE_YOUR_CALM, MEMORY_SHORT);
                true
            }
            _ => false,
        }
    }

    /// Bytes of requests that were ever taken by their readers.
    pub(in super::super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// How short memory is: windows grow less, streams may stall less, and output stays within this
    /// share, or what is needed to go on.
    pub(in super::super) fn set_pressure(&mut self, pressure: Pressure, share: u64, now: Instant) {
        self.full = usize::try_from(share).map_or(FULL, |share| share.clamp(SPARING, FULL));
        if self.pressure != pressure {
            self.pressure = pressure;
            self.stalls.set_pressure(pressure == Pressure::High, now);
        }
    }

    /// Streams that have waited for window for long enough.
    pub(super) fn tick_stalls(&mut self) {
        let Some(patience) = self.stalls.due(self.now) else {
            return;
        };
        let now = self.now;
        let waited = |stream: &Stream| now.saturating_duration_since(stream.blocked_at);
        let is_blocked = |stream: &Stream| stream.blocked != Blocked::No;
        let has_stalled = |stream: &Stream| is_blocked(stream) && waited(stream) >= patience;
        let entries = self.streams.entries();
        let stalled: Vec<_> = entries
            .filter(|(_, stream)| has_stalled(stream))
            .map(|(key, _)| key)
            .collect();
        for key in stalled {
            self.cut(key, Reason::CANCEL, STREAM_STALLED);
        }
        let some_wait = self.streams.entries().any(|(_, stream)| is_blocked(stream));
        self.stalls.looked(some_wait, self.now);
    }

    /// Nothing of any stream will be placed any more: what they have still to send is dropped.
    pub(in super::super) fn abandon(&mut self) {
        self.heads = VecDeque::new();
        for stream in self.streams.values_mut() {
            let queued = u64::try_from(stream.queue.bytes()).unwrap_or(u64::MAX);
            self.held = self.held.saturating_sub(queued);
            stream.queue.clear();
        }
    }

    /// Ends a stream that costs too much, though its peer has broken no rule.
    fn cut(&mut self, key: StreamKey, reason: Reason, text: &'static str) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.inbound.drop_body();
            stream.inbound.end = Some(End::Fault(reason, text));
            self.events.touch(key, &mut stream.marks);
        }
        self.reset(key, reason);
    }
}

pub(super) fn bytes_of(payload: &Bytes) -> u64 {
    u64::try_from(payload.len()).unwrap_or(u64::MAX)
}
