//! What one side of a stream has still to send.

use prost::Message;
use std::sync::Arc;

/// Compressed flag and length.
const PREFIX_BYTES: usize = 5;

/// Small messages are repeated up to this in a template, so that a frame has many.
const TEMPLATE_BYTES: usize = 16 * 1024;

/// What follows the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// END_STREAM with the last DATA.
    Stream,
    /// A block of trailers.
    Trailers,
    /// Nothing yet.
    Open,
}

/// A number of bytes, which are those of the template again and again.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) stream: u32,
    /// Of the stream; negative where the peer narrowed it.
    pub(crate) window: i64,
    pub(crate) end: End,
    template: Arc<[u8]>,
    position: usize,
    left: u64,
    has_begun: bool,
}

impl Body {
    pub(crate) fn new(stream: u32, window: i64, template: Arc<[u8]>, bytes: u64, end: End) -> Self {
        Self {
            stream,
            window,
            end,
            template,
            position: 0,
            left: bytes,
            has_begun: false,
        }
    }

    /// This many bytes more.
    pub(crate) fn extend(&mut self, bytes: u64) {
        self.left += bytes;
    }

    /// Something of it was sent.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, at most `room`; never across the end of the template.
    pub(super) fn take(&mut self, room: usize) -> &[u8] {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let begin = self.position;
        let length = room.min(left).min(self.template.len() - begin);
        self.position = (begin + length) % self.template.len();
        self.left -= length as u64;
        self.has_begun = true;
        self.window -= length as i64;
        &self.template[begin..begin + length]
    }
}

/// A message with its prefix, and how many bytes that is; the template may have several.
pub(crate) fn template(message: &impl Message) -> (Arc<[u8]>, u64) {
    let length = message.encoded_len();
    let mut one = Vec::with_capacity(PREFIX_BYTES + length);
    one.push(0);
    one.extend_from_slice(&(length as u32).to_be_bytes());
    one.extend_from_slice(&message.encode_to_vec());
    let times = (TEMPLATE_BYTES / one.len()).max(1);
    (one.repeat(times).into(), one.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_on_where_the_template_ends() {
        let mut body = Body::new(1, 100, (*b"abc").into(), 7, End::Stream);
        let mut sent = Vec::new();
        while body.left() > 0 {
            sent.extend_from_slice(body.take(2));
        }
        assert_eq!((sent.as_slice(), body.window), (&b"abcabca"[..], 93));
    }
}
