//! Messages to bytes.

use bytes::{BufMut, BytesMut};

use super::{FrameError, PREFIX_BYTES, spare};
use crate::codec::{CodecError, Encoder};

/// Puts messages one behind the other into a buffer, each with its prefix.
#[derive(Clone, Debug)]
pub struct FrameEncoder {
    max_message_bytes: usize,
}

impl FrameEncoder {
    /// An encoder that refuses larger messages. `usize::MAX` leaves only the protocol's own limit
    /// of 4 GiB.
    pub const fn new(max_message_bytes: usize) -> Self {
        Self { max_message_bytes }
    }

    /// Appends prefix and message to `out`, which grows at most once, to exactly what is needed.
    ///
    /// Errors: the message is over the limit, or the codec refused it; `out` is as it was then.
    pub fn encode<M>(
        &mut self,
        message: &M,
        codec: &(impl Encoder<M> + ?Sized),
        out: &mut BytesMut,
    ) -> Result<(), FrameError> {
        let promised = codec.encoded_len(message);
        let prefix = self.prefix(promised)?;
        let start = out.len();
        let room = PREFIX_BYTES.saturating_add(promised);
        if out.capacity() == 0 {
            *out = spare::buffer(room);
        } else {
            out.reserve(room);
        }
        out.put_slice(&prefix);
        let encoded = codec.encode(message, out);
        if encoded.is_ok() && out.len() == start.saturating_add(room) {
            return Ok(());
        }
        let corrected = self.correct(encoded, start, out);
        if corrected.is_err() {
            out.truncate(start);
        }
        corrected
    }

    /// The codec failed, or wrote more or less than it promised, which the prefix has to say.
    #[cold]
    fn correct(
        &self,
        encoded: Result<(), CodecError>,
        start: usize,
        out: &mut BytesMut,
    ) -> Result<(), FrameError> {
        encoded.map_err(FrameError::Codec)?;
        let shrunk = || FrameError::Codec(CodecError::new("the codec removed bytes of the buffer"));
        let body = start.saturating_add(PREFIX_BYTES);
        let written = out.len().checked_sub(body).ok_or_else(shrunk)?;
        let prefix = self.prefix(written)?;
        let place = out.get_mut(start..body).ok_or_else(shrunk)?;
        place.copy_from_slice(&prefix);
        Ok(())
    }

    /// Flag 0 and the length, after checking it.
    #[inline]
    fn prefix(&self, size: usize) -> Result<[u8; PREFIX_BYTES], FrameError> {
        let wire_limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        let limit = self.max_message_bytes.min(wire_limit);
        match u32::try_from(size) {
            Ok(length) if size <= limit => {
                let [a, b, c, d] = length.to_be_bytes();
                Ok([0, a, b, c, d])
            }
            _ => Err(FrameError::TooLarge { size, limit }),
        }
    }
}
