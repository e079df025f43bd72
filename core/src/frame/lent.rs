//! A message that is read where it lies, in front of others.

use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::Payload;

/// A message that a codec may read where it lies: what
/// [`Decoder::decode_lent`](crate::Decoder::decode_lent) is given.
///
/// Read it as a [`Buf`], or take out with [`take_all`](Self::take_all) what is to be kept. What is
/// left unread is skipped. It borrows its message and never gives that borrow away, so whatever is
/// done with it, the messages behind it are not touched.
///
/// A codec of single bytes, which reads them where they lie:
/// ```
/// use bytes::{Buf, Bytes};
/// use trunkline_core::{CodecError, Decoder, FrameDecoder, Lent, Payload};
///
/// struct OneByte;
///
/// impl Decoder<u8> for OneByte {
///     fn decode(&self, mut message: Payload) -> Result<u8, CodecError> {
///         self.decode_lent(Lent::from(&mut message))
///     }
///
///     fn decode_lent(&self, mut message: Lent<'_>) -> Result<u8, CodecError> {
///         message.try_get_u8().map_err(|_| CodecError::new("is empty"))
///     }
/// }
///
/// let mut frames = FrameDecoder::new(8);
/// frames.push(Bytes::from_static(b"\0\0\0\0\x01x\0\0\0\0\x01y"));
/// assert_eq!(frames.pop_plain(|message| OneByte.decode_lent(message)).transpose()?, Some(b'x'));
/// assert_eq!(frames.pop_plain(|message| OneByte.decode_lent(message)).transpose()?, Some(b'y'));
/// # Ok::<(), CodecError>(())
/// ```
pub struct Lent<'a> {
    message: &'a mut Payload,
}

impl Lent<'_> {
    /// Takes out all that is left of the message, to be kept: a handle of its own to the buffer.
    #[must_use]
    pub fn take_all(self) -> Payload {
        self.message.take_all()
    }
}

impl<'a> From<&'a mut Payload> for Lent<'a> {
    #[inline]
    fn from(message: &'a mut Payload) -> Self {
        Self { message }
    }
}

impl Buf for Lent<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.message.remaining()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.message.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.message.chunks_vectored(slices)
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.message.advance(count);
    }

    #[inline]
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        self.message.copy_to_bytes(count)
    }
}

/// Shows nothing of what lies behind the message.
impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, Bytes};

    use crate::codec::{Decoder, RawCodec};
    use crate::frame::FrameDecoder;

    fn holding(wire: &'static [u8]) -> FrameDecoder {
        let mut decoder = FrameDecoder::new(8);
        decoder.push(Bytes::from_static(wire));
        decoder
    }

    fn next(decoder: &mut FrameDecoder) -> Option<Bytes> {
        let frame = decoder.pop().unwrap()?;
        Some(frame.payload.into_bytes())
    }

    /// One after the other, with the last one of the chunk, behind which lies nothing.
    #[test]
    fn a_codec_that_takes_its_message_out_leaves_the_next_ones() {
        let mut decoder = holding(b"\0\0\0\0\x01x\0\0\0\0\0\0\0\0\0\x02yz");
        for expected in ["x", "", "yz"] {
            let taken = decoder.pop_plain(|message| message.take_all()).unwrap();
            assert_eq!(taken.into_bytes(), expected);
        }
        assert!(decoder.is_empty());
        decoder.finish().unwrap();
        let mut decoder = holding(b"\0\0\0\0\x01x\0\0\0\0\x01y");
        let taken = decoder.pop_plain(|message| RawCodec.decode_lent(message));
        assert_eq!(taken.unwrap().unwrap(), "x");
        assert_eq!(next(&mut decoder).unwrap(), "y");
    }

    #[test]
    fn what_is_taken_out_is_what_was_left_unread() {
        let mut decoder = holding(b"\0\0\0\0\x03abc\0\0\0\0\x01y");
        let rest = decoder.pop_plain(|mut message| {
            message.advance(1);
            message.take_all()
        });
        assert_eq!(rest.unwrap().into_bytes(), "bc");
        assert_eq!(next(&mut decoder).unwrap(), "y");
    }

    #[test]
    fn messages_that_are_exchanged_or_left_unread_leave_the_next_ones() {
        let mut left = holding(b"\0\0\0\0\x01a\0\0\0\0\x01b");
        let mut right = holding(b"\0\0\0\0\x01c\0\0\0\0\x01d");
        left.pop_plain(|of_left| {
            right.pop_plain(|of_right| {
                let (mut one, mut other) = (of_left, of_right);
                std::mem::swap(&mut one, &mut other);
                assert_eq!(one.take_all().into_bytes(), "c");
                assert_eq!(other.chunk(), b"a");
            })
        });
        assert_eq!(next(&mut left).unwrap(), "b");
        assert_eq!(next(&mut right).unwrap(), "d");
    }

    #[test]
    fn its_debug_form_shows_no_other_message() {
        let mut decoder = holding(b"\0\0\0\0\x01x\0\0\0\0\x06secret");
        let shown = decoder.pop_plain(|message| format!("{message:?}"));
        assert_eq!(shown.unwrap(), "Lent { remaining: 1, .. }");
    }
}
