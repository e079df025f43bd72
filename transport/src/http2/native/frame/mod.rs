//! Frames as values (RFC 9113 §4, §6).

mod head;
mod payload;
mod read;
mod reason;
pub(super) mod write;

use bytes::Bytes;

pub(super) use self::read::Reader;
pub(super) use self::reason::Reason;

/// What a client sends before its first frame (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream's number; 0 is the connection itself (RFC 9113 §5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StreamId(pub(super) u32);

impl StreamId {
    /// The connection itself.
    pub(super) const ZERO: Self = Self(0);
    /// The largest there is.
    pub(super) const MAX: Self = Self((1 << 31) - 1);

    /// Opened by a client.
    pub(super) const fn is_client(self) -> bool {
        self.0 % 2 == 1
    }
}

/// A frame that was read, whole and well-formed as far as it can be judged by itself.
///
/// Payloads of DATA are owned, all else is borrowed from the read buffer. A header block is
/// joined from HEADERS and its CONTINUATIONs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Data {
        stream: StreamId,
        payload: Bytes,
        /// What it takes from the windows: the payload with its padding and the padding's length.
        flow: u32,
        end: bool,
    },
    Headers {
        stream: StreamId,
        block: &'a [u8],
        end: bool,
        /// Of the deprecated priority fields, if they were there; only self-dependency is an error.
        depends_on: Option<StreamId>,
    },
    Priority {
        stream: StreamId,
        depends_on: StreamId,
    },
    /// A PRIORITY whose length is wrong: an error of its stream alone (RFC 9113 §6.3).
    BadPriority {
        stream: StreamId,
    },
    Reset {
        stream: StreamId,
        reason: Reason,
    },
    /// Not an acknowledgement; the length is a multiple of six.
    Settings(&'a [u8]),
    SettingsAck,
    Ping {
        ack: bool,
        data: [u8; 8],
    },
    GoAway {
        last: StreamId,
        reason: Reason,
        text: &'a [u8],
    },
    WindowUpdate {
        stream: StreamId,
        /// May be 0, which is an error of the stream or of the connection (RFC 9113 §6.9).
        by: u32,
    },
    /// Of a kind that nobody knows: ignored, but counted.
    Unknown,
}

/// What ends the connection: the code and the text of our GOAWAY, and of our statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fatal {
    pub(super) reason: Reason,
    pub(super) text: &'static str,
}

impl Fatal {
    pub(super) const fn new(reason: Reason, text: &'static str) -> Self {
        Self { reason, text }
    }

    pub(super) const fn protocol(text: &'static str) -> Self {
        Self::new(Reason::PROTOCOL_ERROR, text)
    }
}
