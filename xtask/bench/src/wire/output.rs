//! What is to be written, within the peer's windows.

use super::body::{Body, End};
use super::frame::{self, Head};

/// Beyond this a body waits until the socket has taken what is there.
const FULL_BYTES: usize = 1024 * 1024;

/// Frames that wait for the socket, and what the peer's SETTINGS and WINDOW_UPDATEs allow.
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// Of the connection.
    pub(super) window: i64,
    pub(super) stream_window: i64,
    pub(super) max_frame: usize,
    pub(super) max_streams: usize,
}

impl Output {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            window: 65_535,
            stream_window: 65_535,
            max_frame: 16_384,
            max_streams: usize::MAX,
        }
    }

    /// How much a stream may send at its start.
    pub(crate) const fn stream_window(&self) -> i64 {
        self.stream_window
    }

    /// How many streams the peer takes at once.
    pub(crate) const fn max_streams(&self) -> usize {
        self.max_streams
    }

    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }

    pub(super) fn settings(&mut self, pairs: &[(u16, u32)]) {
        self.head(pairs.len() * 6, frame::SETTINGS, 0, 0);
        for (id, value) in pairs {
            self.bytes.extend_from_slice(&id.to_be_bytes());
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(super) fn control(&mut self, kind: u8, flags: u8, payload: &[u8]) {
        self.head(payload.len(), kind, flags, 0);
        self.bytes.extend_from_slice(payload);
    }

    /// Gives the peer room: on a stream, or on the connection with 0.
    pub(crate) fn credit(&mut self, stream: u32, by: u32) {
        self.head(4, frame::WINDOW_UPDATE, 0, stream);
        self.bytes.extend_from_slice(&by.to_be_bytes());
    }

    /// A block that `write` writes; none of ours needs a CONTINUATION.
    pub(crate) fn headers(&mut self, stream: u32, end: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        let end_stream = if end { frame::END_STREAM } else { 0 };
        self.head(0, frame::HEADERS, frame::END_HEADERS | end_stream, stream);
        write(&mut self.bytes);
        let length = self.bytes.len() - begin - frame::HEAD_BYTES;
        let [_, a, b, c] = (length as u32).to_be_bytes();
        self.bytes[begin..begin + 3].copy_from_slice(&[a, b, c]);
    }

    /// As much of a body as the windows have room for; trailers stay the caller's. True when all of it went.
    pub(crate) fn send(&mut self, body: &mut Body) -> bool {
        while body.left() > 0 {
            let window = self.window.min(body.window);
            if window <= 0 || self.is_full() {
                return false;
            }
            let room = usize::try_from(window).unwrap_or(usize::MAX);
            let begin = self.bytes.len();
            self.head(0, frame::DATA, 0, body.stream);
            let chunk = body.take(room.min(self.max_frame));
            self.bytes.extend_from_slice(chunk);
            let length = chunk.len();
            self.window -= length as i64;
            let [_, a, b, c] = (length as u32).to_be_bytes();
            self.bytes[begin..begin + 3].copy_from_slice(&[a, b, c]);
            if body.left() == 0 && body.end == End::Stream {
                self.bytes[begin + 4] = frame::END_STREAM;
            }
        }
        true
    }

    /// END_STREAM alone, after a body that was left open.
    pub(crate) fn end(&mut self, body: &Body) {
        self.head(0, frame::DATA, frame::END_STREAM, body.stream);
    }

    /// The block after a body that ends with trailers.
    pub(crate) fn finish(&mut self, body: &Body, write: impl FnOnce(&mut Vec<u8>)) {
        self.headers(body.stream, true, write);
    }

    fn head(&mut self, length: usize, kind: u8, flags: u8, stream: u32) {
        let head = Head {
            length,
            kind,
            flags,
            stream,
        };
        head.write(&mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_stops_at_the_narrower_window_and_ends_with_its_last_frame() {
        let mut output = Output::new();
        let mut body = Body::new(1, 10, vec![7; 4].into(), 12, End::Stream);
        assert!(!output.send(&mut body));
        assert_eq!((body.window, output.window), (0, 65_525));
        body.window += 2;
        assert!(output.send(&mut body));
        let last = output.bytes.len() - frame::HEAD_BYTES - 2;
        let head = Head::read(&output.bytes[last..]).unwrap();
        assert!(head.length == 2 && head.has(frame::END_STREAM));
    }
}
