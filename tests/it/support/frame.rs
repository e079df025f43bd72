//! Frames as a test writes and reads them.

use std::fmt;

use super::hpack::write_field;

/// HTTP/2 error codes (RFC 9113 §7).
pub(crate) const NO_ERROR: u32 = 0x0;
pub(crate) const PROTOCOL_ERROR: u32 = 0x1;
pub(crate) const REFUSED_STREAM: u32 = 0x7;
pub(crate) const CANCEL: u32 = 0x8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;
/// The largest code that has a name.
pub(crate) const LAST_CODE: u32 = 0xd;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const PRIORITY: u8 = 0x20;

/// Settings (RFC 9113 §6.5.2).
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

/// Bytes that a peer may put into one frame without asking.
const MAX_FRAME: usize = 16_384;

/// Bytes on their way to the other side: frames, or whatever a test wants to pass for some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(pub(crate) Vec<u8>);

impl Wire {
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(9 + payload.len());
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        bytes.extend_from_slice(&length[1..]);
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        Self(bytes)
    }

    /// The same, and then something else.
    pub(crate) fn and(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }
}

impl<const N: usize> From<[Self; N]> for Wire {
    fn from(all: [Self; N]) -> Self {
        all.into_iter().fold(Self::default(), Self::and)
    }
}

/// A frame with any head at all.
pub(crate) fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Wire {
    Wire::frame(kind, flags, stream, payload)
}

/// DATA without END_STREAM.
pub(crate) fn data(stream: u32, bytes: impl AsRef<[u8]>) -> Wire {
    Wire::frame(DATA, 0, stream, bytes.as_ref())
}

/// DATA with END_STREAM.
pub(crate) fn last_data(stream: u32, bytes: impl AsRef<[u8]>) -> Wire {
    Wire::frame(DATA, END_STREAM, stream, bytes.as_ref())
}

/// RST_STREAM.
pub(crate) fn reset(stream: u32, code: u32) -> Wire {
    Wire::frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// GOAWAY.
pub(crate) fn goaway(last_stream: u32, code: u32, text: &str) -> Wire {
    let mut payload = last_stream.to_be_bytes().to_vec();
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(text.as_bytes());
    Wire::frame(GOAWAY, 0, 0, &payload)
}

/// SETTINGS.
pub(crate) fn settings(values: &[(u16, u32)]) -> Wire {
    let mut payload = Vec::new();
    for (name, value) in values {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    Wire::frame(SETTINGS, 0, 0, &payload)
}

/// DATA with padding, which counts against the windows too.
pub(crate) fn padded(stream: u32, bytes: &[u8], padding: u8) -> Wire {
    let mut payload = vec![padding];
    payload.extend_from_slice(bytes);
    payload.resize(payload.len() + usize::from(padding), 0);
    Wire::frame(DATA, PADDED, stream, &payload)
}

/// WINDOW_UPDATE; stream 0 is the connection.
pub(crate) fn window(stream: u32, bytes: u32) -> Wire {
    Wire::frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// PING, which wants an answer.
pub(crate) fn ping() -> Wire {
    Wire::frame(PING, 0, 0, b"knocking")
}

/// A message with its five-byte prefix.
pub(crate) fn framed(message: impl AsRef<[u8]>) -> Vec<u8> {
    let message = message.as_ref();
    let mut frame = prefix(0, message.len());
    frame.extend_from_slice(message);
    frame
}

/// The prefix of a message, true or not.
pub(crate) fn prefix(flag: u8, length: usize) -> Vec<u8> {
    let mut prefix = vec![flag];
    prefix.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    prefix
}

/// HEADERS in the making; becomes CONTINUATION frames too where it is long.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    stream: u32,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    end_stream: bool,
}

/// Begins a header block.
pub(crate) const fn headers(stream: u32) -> Headers {
    Headers {
        stream,
        fields: Vec::new(),
        end_stream: false,
    }
}

/// The trailers of an RPC that ended with this code: nothing follows them.
pub(crate) fn trailers(stream: u32, code: u32) -> Headers {
    headers(stream).field("grpc-status", code.to_string()).end()
}

/// The head of a gRPC request.
pub(crate) fn request(stream: u32, path: &str) -> Headers {
    headers(stream)
        .field(":method", "POST")
        .field(":scheme", "http")
        .field(":path", path)
        .field(":authority", "test")
        .field("te", "trailers")
        .grpc()
}

impl Headers {
    /// One more field, unchecked.
    pub(crate) fn field(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Leaves a field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(each, _)| each != name.as_bytes());
        self
    }

    /// Another value for a field that is there, in its place.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        for (each, old) in &mut self.fields {
            if each == name.as_bytes() {
                *old = value.as_bytes().to_vec();
            }
        }
        self
    }

    /// `:status`.
    pub(crate) fn status(self, http: u16) -> Self {
        self.field(":status", http.to_string())
    }

    /// `content-type: application/grpc`.
    pub(crate) fn grpc(self) -> Self {
        self.field("content-type", "application/grpc")
    }

    /// END_STREAM: nothing follows.
    pub(crate) const fn end(mut self) -> Self {
        self.end_stream = true;
        self
    }
}

impl From<Headers> for Wire {
    fn from(headers: Headers) -> Self {
        let mut block = Vec::new();
        for (name, value) in &headers.fields {
            write_field(&mut block, name, value);
        }
        let mut pieces: Vec<&[u8]> = block.chunks(MAX_FRAME).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        let last = pieces.len() - 1;
        let mut wire = Self::default();
        for (number, piece) in pieces.into_iter().enumerate() {
            let kind = if number == 0 { HEADERS } else { CONTINUATION };
            let mut flags = if number == last { END_HEADERS } else { 0 };
            if number == 0 && headers.end_stream {
                flags |= END_STREAM;
            }
            wire = wire.and(Self::frame(kind, flags, headers.stream, piece));
        }
        wire
    }
}

/// The fields of a header block that the other side sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// The first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }

    /// `:status`.
    pub(crate) fn http_status(&self) -> u16 {
        self.get(":status").map_or(0, |text| text.parse().unwrap())
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}
