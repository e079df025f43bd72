//! What an engine shows to both of its sides, in words that say nothing about how it does it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One thing that can be seen. Streams have the numbers of the wire, calls those in which they are made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// Server: a stream and its head. Fields of one name keep their order.
    Opened(u32, Vec<(String, String)>),
    /// Client: the head of an answer.
    Answered(u32, Vec<(String, String)>),
    Received(u32, Vec<u8>),
    /// How what is received ended.
    Ended(u32, String),
    /// The whole stream is gone.
    Gone(u32, String),
    /// The last word of the connection.
    Lost(String),
    /// Wire: a block of HEADERS.
    Head(u32, Vec<(String, String)>),
    Payload(u32, Vec<u8>),
    EndStream(u32),
    Reset(u32, u32),
    /// More may be sent on this stream: how much when is not compared.
    Widened(u32, u32),
    GoAway(u32),
    Pong([u8; 8]),
    SettingsAck,
    /// The end of what is written.
    Closed,
    /// An assertion of h2's has failed.
    Asserted,
}

impl Event {
    /// Which stream it is about, if it is one's of the wire.
    pub(super) const fn stream(&self) -> Option<u32> {
        match self {
            Self::Opened(stream, _)
            | Self::Received(stream, _)
            | Self::Ended(stream, _)
            | Self::Gone(stream, _)
            | Self::Answered(stream, _)
            | Self::Head(stream, _)
            | Self::Payload(stream, _)
            | Self::EndStream(stream)
            | Self::Reset(stream, _)
            | Self::Widened(stream, _) => Some(*stream),
            Self::Lost(_)
            | Self::GoAway(_)
            | Self::Pong(_)
            | Self::SettingsAck
            | Self::Closed
            | Self::Asserted => None,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(nth, head) => write!(f, "opened #{nth} {head:?}"),
            Self::Answered(nth, head) => write!(f, "answered #{nth} {head:?}"),
            Self::Received(nth, bytes) => write!(f, "received #{nth} {}", short(bytes)),
            Self::Ended(nth, how) => write!(f, "ended #{nth} {how}"),
            Self::Gone(nth, how) => write!(f, "gone #{nth} {how}"),
            Self::Lost(how) => write!(f, "lost {how}"),
            Self::Head(stream, head) => write!(f, "HEADERS {stream} {head:?}"),
            Self::Payload(stream, bytes) => write!(f, "DATA {stream} {}", short(bytes)),
            Self::EndStream(stream) => write!(f, "END_STREAM {stream}"),
            Self::Reset(stream, code) => write!(f, "RST_STREAM {stream} {code}"),
            Self::Widened(stream, by) => write!(f, "WINDOW_UPDATE {stream} {by}"),
            Self::GoAway(code) => write!(f, "GOAWAY {code}"),
            Self::Pong(data) => write!(f, "PING ack {}", data.escape_ascii()),
            Self::SettingsAck => f.write_str("SETTINGS ack"),
            Self::Closed => f.write_str("closed"),
            Self::Asserted => f.write_str("asserted"),
        }
    }
}

fn short(bytes: &[u8]) -> String {
    let first = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    format!("{} bytes {}", bytes.len(), first.escape_ascii())
}

/// Where everybody writes down what they see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn push(&self, event: Event) {
        self.lock().push(event);
    }

    /// What was seen since the last time.
    pub(crate) fn take(&self) -> Vec<Event> {
        in_order(std::mem::take(&mut *self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In a fixed order, since the order in which tasks run is nobody's promise; bytes joined.
pub(super) fn in_order(all: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let (mut received, mut payload) = (BTreeMap::new(), BTreeMap::new());
    let mut events = Vec::new();
    for event in all {
        match event {
            Event::Received(nth, bytes) => {
                received.entry(nth).or_insert_with(Vec::new).extend(bytes);
            }
            Event::Payload(stream, bytes) => {
                payload.entry(stream).or_insert_with(Vec::new).extend(bytes);
            }
            other => events.push(other),
        }
    }
    let received = received.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    events.extend(received.map(|(nth, bytes)| Event::Received(nth, bytes)));
    let payload = payload.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    events.extend(payload.map(|(stream, bytes)| Event::Payload(stream, bytes)));
    events.sort();
    events
}

/// Fields in an order that both engines keep: by name, those of one name as they came.
pub(crate) fn sorted<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    fields: impl IntoIterator<Item = (N, V)>,
) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| (text(name.as_ref()), text(value.as_ref())))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}
