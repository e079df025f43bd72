//! Frames and header blocks, written byte by byte.

use prost::Message;

use crate::echo::Note;

/// What a client's connection begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITY: u8 = 0x20;

/// A frame with any head and any payload.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut bytes = length.get(1..).unwrap_or_default().to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals without Huffman coding, unchecked.
pub(crate) fn block<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        text(&mut bytes, name);
        text(&mut bytes, value);
    }
    bytes
}

/// A string literal (RFC 7541 §5.2).
fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text.len();
    if rest < 0x7f {
        bytes.push(u8::try_from(rest).unwrap_or(0x7e));
    } else {
        bytes.push(0x7f);
        rest -= 0x7f;
        while rest >= 0x80 {
            bytes.push(u8::try_from(rest % 0x80).unwrap_or(0) | 0x80);
            rest /= 0x80;
        }
        bytes.push(u8::try_from(rest).unwrap_or(0));
    }
    bytes.extend_from_slice(text);
}

/// The fields of a gRPC request.
pub(crate) fn request<'a>(path: &'a str, authority: &'a str) -> Vec<(&'a [u8], &'a [u8])> {
    vec![
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.as_bytes()),
        (b":authority", authority.as_bytes()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
}

/// The fields of a gRPC response.
pub(crate) fn response() -> Vec<(&'static [u8], &'static [u8])> {
    vec![(b":status", b"200"), (b"content-type", b"application/grpc")]
}

/// The fields of good trailers.
pub(crate) fn trailers() -> Vec<(&'static [u8], &'static [u8])> {
    vec![(b"grpc-status", b"0")]
}

/// A message with its prefix.
pub(crate) fn message(note: &Note) -> Vec<u8> {
    let encoded = note.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend_from_slice(
        &u32::try_from(encoded.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    bytes.extend_from_slice(&encoded);
    bytes
}
