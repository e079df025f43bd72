//! Frames as a test writes and reads them.

/// HTTP/2 error codes (RFC 9113 §7).
pub(crate) const NO_ERROR: u32 = 0x0;
pub(crate) const PROTOCOL_ERROR: u32 = 0x1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 0x3;
pub(crate) const STREAM_CLOSED: u32 = 0x5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 0x6;
pub(crate) const REFUSED_STREAM: u32 = 0x7;
pub(crate) const CANCEL: u32 = 0x8;
pub(crate) const COMPRESSION_ERROR: u32 = 0x9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;
/// The largest code that has a name.
pub(crate) const LAST_CODE: u32 = 0xd;

/// Kinds of frames (RFC 9113 §6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITIZED: u8 = 0x20;

/// Settings (RFC 9113 §6.5.2).
pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE: u16 = 5;

/// Bytes that a peer may put into one frame without asking.
pub(crate) const MAX_FRAME: usize = 16_384;

/// The largest stream number: in a GOAWAY it warns, and refuses nothing yet.
pub(crate) const ALL: u32 = (1 << 31) - 1;

/// Bytes on their way to the other side: frames, or whatever a test wants to pass for some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(pub(crate) Vec<u8>);

impl Wire {
    pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
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

/// PRIORITY: advice that HTTP/2 has given up, and that peers still send.
pub(crate) fn priority(stream: u32, parent: u32) -> Wire {
    let mut payload = parent.to_be_bytes().to_vec();
    payload.push(15);
    Wire::frame(PRIORITY, 0, stream, &payload)
}

/// WINDOW_UPDATE; stream 0 is the connection.
pub(crate) fn window(stream: u32, bytes: u32) -> Wire {
    Wire::frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// PING, which wants an answer.
pub(crate) fn ping() -> Wire {
    Wire::frame(PING, 0, 0, b"knocking")
}

/// PING with a payload of the test's own.
pub(crate) fn ping_with(payload: [u8; 8]) -> Wire {
    Wire::frame(PING, 0, 0, &payload)
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
