//! The nine octets before each frame (RFC 9113 §4.1), and what they alone may be judged by.

use super::{Fatal, Reason, StreamId};

/// How long a frame's head is.
pub(super) const LENGTH: usize = 9;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
/// Of HEADERS: the deprecated priority fields are there.
pub(super) const PRIORITISED: u8 = 0x20;

/// A frame's head as it lies on the wire, without its reserved bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: StreamId,
}

impl Head {
    pub(super) fn parse(octets: [u8; LENGTH]) -> Self {
        let [a, b, c, kind, flags, s, t, u, v] = octets;
        Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: stream([s, t, u, v]),
        }
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// All that can be said before the payload is there. `open` is the stream whose header block
    /// is not finished.
    pub(super) fn check(self, max_frame: u32, open: Option<StreamId>) -> Result<(), Fatal> {
        if self.length > max_frame {
            return Err(size("a frame larger than SETTINGS_MAX_FRAME_SIZE"));
        }
        if let Some(open) = open
            && (self.kind != CONTINUATION || self.stream != open)
        {
            return Err(Fatal::protocol("a header block was interrupted"));
        }
        let on_connection = self.stream == StreamId::ZERO;
        match self.kind {
            DATA if on_connection => Err(Fatal::protocol("DATA on stream 0")),
            HEADERS if on_connection => Err(Fatal::protocol("HEADERS on stream 0")),
            PRIORITY if on_connection => Err(Fatal::protocol("PRIORITY on stream 0")),
            RST_STREAM if on_connection => Err(Fatal::protocol("RST_STREAM on stream 0")),
            RST_STREAM if self.length != 4 => Err(size("RST_STREAM of a wrong length")),
            SETTINGS if !on_connection => Err(Fatal::protocol("SETTINGS on a stream")),
            SETTINGS if self.has(ACK) && self.length != 0 => {
                Err(size("an acknowledgement of SETTINGS with a payload"))
            }
            SETTINGS if !self.length.is_multiple_of(6) => Err(size("SETTINGS of a wrong length")),
            PUSH_PROMISE => Err(Fatal::protocol("PUSH_PROMISE, which is switched off")),
            PING if !on_connection => Err(Fatal::protocol("PING on a stream")),
            PING if self.length != 8 => Err(size("PING of a wrong length")),
            GOAWAY if !on_connection => Err(Fatal::protocol("GOAWAY on a stream")),
            GOAWAY if self.length < 8 => Err(size("GOAWAY of a wrong length")),
            WINDOW_UPDATE if self.length != 4 => Err(size("WINDOW_UPDATE of a wrong length")),
            CONTINUATION if open.is_none() => {
                Err(Fatal::protocol("CONTINUATION without a header block"))
            }
            _ => Ok(()),
        }
    }
}

/// The reserved bit is ignored (RFC 9113 §4.1).
pub(super) fn stream(octets: [u8; 4]) -> StreamId {
    StreamId(u32::from_be_bytes(octets) & StreamId::MAX.0)
}

pub(super) const fn size(text: &'static str) -> Fatal {
    Fatal::new(Reason::FRAME_SIZE_ERROR, text)
}
