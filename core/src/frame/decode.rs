//! Bytes to messages.

use bytes::{Buf, Bytes, BytesMut};

use super::pieces::Pieces;
use super::{Frame, FrameError, Lent, PREFIX_BYTES, Payload, spare};

/// Shorter pieces are copied together: a `Bytes` keeps the whole buffer alive that it was read
/// into, so a peer that sends single bytes could otherwise pin kilobytes with each.
const SMALL_BYTES: usize = 256;

/// Messages from this length on are put together while they arrive: what they were read into is
/// free again at once, instead of all of it being held and joined in the end.
const JOINED_BYTES: usize = 128 * 1024;

/// ... as soon as this part of one is there. Until then its length is only claimed.
const JOINED_PART: usize = 4;

/// Takes a byte stream apart into messages, however it was cut into chunks.
///
/// Push what arrives, pop until `None`, and call [`finish`](Self::finish) at the end of the stream.
/// A message that lies in one chunk shares its memory; a large one that does not is put together as
/// it arrives. Memory held is what was pushed and not yet popped; a length that a peer merely claims
/// allocates nothing, one of which a quarter is there allocates the rest. Errors are sticky.
/// ```
/// use bytes::Bytes;
/// use trunkline_core::FrameDecoder;
///
/// let mut decoder = FrameDecoder::new(4 * 1024 * 1024);
/// decoder.push(Bytes::from_static(b"\0\0\0\0\x05he"));
/// assert!(decoder.pop()?.is_none());
/// decoder.push(Bytes::from_static(b"llo"));
/// let frame = decoder.pop()?.ok_or(trunkline_core::FrameError::Truncated { missing: 5 })?;
/// assert_eq!(frame.payload.into_bytes(), "hello");
/// decoder.finish()?;
/// # Ok::<(), trunkline_core::FrameError>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    max_message_bytes: usize,
    /// Bytes in the order `first`, `chunks`, `tail`.
    first: Bytes,
    chunks: Pieces,
    /// In a place of its own, made when it is first needed: most streams are whole messages.
    tail: Option<Box<Tail>>,
    /// Bytes in all three.
    buffered: usize,
    /// The prefix of the message being waited for: its flag and its length.
    prefix: Option<(bool, u32)>,
}

/// What is put together by copying, and the error behind which nothing comes any more.
#[derive(Debug, Default)]
struct Tail {
    bytes: BytesMut,
    /// The message being waited for lies here, as far as it is there; this much is missing.
    missing: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder that refuses larger messages as soon as it sees their prefix.
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            first: Bytes::new(),
            chunks: Pieces::new(),
            tail: None,
            buffered: 0,
            prefix: None,
        }
    }

    /// Takes the next bytes of the stream. After an error they are dropped.
    pub fn push(&mut self, mut chunk: Bytes) {
        if self.missing() > 0 {
            self.join_more(&mut chunk);
        }
        if self.failed().is_some() || chunk.is_empty() {
            return;
        }
        let nothing_before = self.buffered == 0;
        self.buffered = self.buffered.saturating_add(chunk.len());
        if nothing_before {
            // May hold a whole small message; if not, `pop` copies it.
            self.first = chunk;
        } else if chunk.len() < SMALL_BYTES {
            self.tail().bytes.extend_from_slice(&chunk);
        } else {
            if let Some(joined) = self.take_tail() {
                self.chunks.push_back(joined);
            }
            self.chunks.push_back(chunk);
        }
    }

    /// The next message; `None` until more bytes arrive.
    ///
    /// Errors: the message is over the limit, or its flag byte is none.
    pub fn pop(&mut self) -> Result<Option<Frame>, FrameError> {
        match self.try_pop() {
            Ok(Some(frame)) => Ok(Some(frame)),
            Ok(None) => {
                self.release_small();
                Ok(None)
            }
            Err(error) => {
                *self = Self::new(self.max_message_bytes);
                self.tail().failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Reads the next message where it lies, if it lies whole in one chunk and is not compressed;
    /// `None` says nothing: [`pop`](Self::pop) knows more.
    ///
    /// What `read` leaves unread of it is skipped.
    #[inline]
    pub fn pop_plain<R>(&mut self, read: impl FnOnce(Lent<'_>) -> R) -> Option<R> {
        if self.prefix.is_some() {
            return None;
        }
        let [0, length @ ..] = *self.first.first_chunk::<PREFIX_BYTES>()? else {
            return None;
        };
        let size = usize::try_from(u32::from_be_bytes(length)).ok()?;
        let held = self.first.len();
        if size > self.max_message_bytes || size > held.saturating_sub(PREFIX_BYTES) {
            return None;
        }
        let mut first = std::mem::take(&mut self.first);
        first.advance(PREFIX_BYTES);
        // Where `read` panics the chunk is gone, and is not counted.
        self.buffered = self.buffered.saturating_sub(held);
        let mut message = Payload::front_of(first, size);
        let result = read(Lent::from(&mut message));
        let behind = message.into_behind();
        self.buffered = self.buffered.saturating_add(behind.len());
        // An empty rest would keep the whole buffer alive.
        if !behind.is_empty() {
            self.first = behind;
        }
        Some(result)
    }

    /// Whether the stream may end here.
    ///
    /// Call it once [`pop`](Self::pop) has given `None`.
    /// Errors: [`FrameError::Truncated`] inside a message, or the error that `pop` gave.
    pub fn finish(&self) -> Result<(), FrameError> {
        if let Some(error) = self.failed() {
            return Err(error.clone());
        }
        let wanted = match self.prefix {
            Some((_, length)) => bytes(length),
            None if self.buffered == 0 => return Ok(()),
            None => PREFIX_BYTES,
        };
        let missing = wanted.saturating_sub(self.buffered);
        Err(FrameError::Truncated { missing })
    }

    /// Whether the stream is between two messages with nothing left to pop.
    pub const fn is_empty(&self) -> bool {
        self.buffered == 0 && self.prefix.is_none()
    }

    /// Larger messages are refused.
    pub const fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    /// How many bytes are held: pushed, and not yet popped.
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    fn try_pop(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed() {
            return Err(error.clone());
        }
        let (compressed, length) = match self.prefix {
            Some(prefix) => prefix,
            None if self.buffered == 0 => return Ok(None),
            None => match self.read_prefix()? {
                Some(prefix) => *self.prefix.insert(prefix),
                None => return Ok(None),
            },
        };
        let length = bytes(length);
        if self.buffered < length {
            if length >= JOINED_BYTES
                && self.missing() == 0
                && self.buffered >= length / JOINED_PART
            {
                self.join(length);
            }
            return Ok(None);
        }
        self.prefix = None;
        let payload = self.take(length);
        Ok(Some(Frame {
            compressed,
            payload,
        }))
    }

    fn read_prefix(&mut self) -> Result<Option<(bool, u32)>, FrameError> {
        if self.buffered < PREFIX_BYTES {
            return Ok(None);
        }
        let [flag, length @ ..] = self.take_prefix();
        let compressed = match flag {
            0 => false,
            1 => true,
            flag => return Err(FrameError::BadFlag(flag)),
        };
        let length = u32::from_be_bytes(length);
        let (size, limit) = (bytes(length), self.max_message_bytes);
        if size > limit {
            return Err(FrameError::TooLarge { size, limit });
        }
        Ok(Some((compressed, length)))
    }

    /// The next prefix, which must be there. Where bytes follow it in the same chunk, as they nearly
    /// always do, that chunk is not shared with anything for it.
    fn take_prefix(&mut self) -> [u8; PREFIX_BYTES] {
        let mut prefix = [0; PREFIX_BYTES];
        match self.first.first_chunk() {
            Some(there) if self.first.len() > PREFIX_BYTES => {
                prefix = *there;
                self.first.advance(PREFIX_BYTES);
                self.buffered = self.buffered.saturating_sub(PREFIX_BYTES);
            }
            _ => self.take(PREFIX_BYTES).copy_to_slice(&mut prefix),
        }
        prefix
    }

    /// The next `count` bytes, which must be there.
    fn take(&mut self, count: usize) -> Payload {
        self.buffered = self.buffered.saturating_sub(count);
        if count < self.first.len() {
            return Payload::from(self.first.split_to(count));
        }
        if self.buffered == 0 && count == self.first.len() {
            return Payload::from(std::mem::take(&mut self.first));
        }
        let mut payload = Payload::default();
        let mut wanted = count;
        while wanted > 0 {
            let piece = self.first.split_to(wanted.min(self.first.len()));
            wanted -= piece.len();
            payload.push(piece);
            if self.first.is_empty() {
                let next = self.chunks.pop_front();
                let Some(next) = next.or_else(|| self.take_tail()) else {
                    break;
                };
                self.first = next;
            }
        }
        payload
    }

    /// Begins to put a message together, of which only a part is there.
    #[cold]
    fn join(&mut self, length: usize) {
        let mut joined = spare::buffer(length);
        joined.extend_from_slice(&std::mem::take(&mut self.first));
        while let Some(chunk) = self.chunks.pop_front() {
            joined.extend_from_slice(&chunk);
        }
        let tail = self.tail();
        joined.extend_from_slice(&tail.bytes);
        tail.missing = length.saturating_sub(joined.len());
        tail.bytes = joined;
    }

    /// Goes on with it. What follows the message stays in the chunk.
    #[cold]
    fn join_more(&mut self, chunk: &mut Bytes) {
        let tail = self.tail();
        let more = chunk.split_to(chunk.len().min(tail.missing));
        tail.bytes.extend_from_slice(&more);
        tail.missing -= more.len();
        if tail.missing == 0 {
            self.first = std::mem::take(&mut tail.bytes).freeze();
        }
        self.buffered = self.buffered.saturating_add(more.len());
    }

    /// Copies a small rest of a large buffer, so that waiting for more does not keep the buffer.
    fn release_small(&mut self) {
        if self.first.is_empty() || self.first.len() >= SMALL_BYTES || !self.chunks.is_empty() {
            return;
        }
        let mut joined = BytesMut::with_capacity(SMALL_BYTES.max(self.buffered));
        joined.extend_from_slice(&std::mem::take(&mut self.first));
        let tail = self.tail();
        joined.extend_from_slice(&tail.bytes);
        tail.bytes = joined;
    }

    fn tail(&mut self) -> &mut Tail {
        self.tail.get_or_insert_default()
    }

    /// What was copied together, if anything was.
    fn take_tail(&mut self) -> Option<Bytes> {
        let tail = self.tail.as_mut()?;
        (!tail.bytes.is_empty()).then(|| tail.bytes.split().freeze())
    }

    fn failed(&self) -> Option<&FrameError> {
        self.tail.as_ref()?.failed.as_ref()
    }

    fn missing(&self) -> usize {
        self.tail.as_ref().map_or(0, |tail| tail.missing)
    }
}

fn bytes(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, Bytes};

    use super::{FrameDecoder, Lent};
    use crate::random::Random;

    /// For what is copied together.
    fn room(decoder: &FrameDecoder) -> usize {
        let tail = decoder.tail.as_ref();
        tail.map_or(0, |tail| tail.bytes.capacity())
    }

    #[test]
    fn what_is_read_where_it_lies_is_what_pop_would_give() {
        for seed in 0..300 {
            let mut random = Random::new(seed);
            let (mut wire, mut expected) = (Vec::new(), Vec::new());
            for number in 0..=random.byte() % 40 {
                let message = vec![number; random.below(600)];
                let compressed = random.below(8) == 0;
                let length = u32::try_from(message.len()).unwrap();
                wire.push(u8::from(compressed));
                wire.extend_from_slice(&length.to_be_bytes());
                wire.extend_from_slice(&message);
                expected.push((compressed, message));
            }
            let (mut decoder, mut found) = (FrameDecoder::new(600), Vec::new());
            let mut rest = Bytes::from(wire);
            while !rest.is_empty() {
                decoder.push(rest.split_to(1 + random.below(rest.len().min(3_000))));
                loop {
                    // Some is left unread, some is taken out.
                    let read = |mut message: Lent<'_>| {
                        let all = message.chunk().to_vec();
                        let some = random.below(message.remaining() + 1);
                        assert_eq!(message.copy_to_bytes(some), all[..some]);
                        assert_eq!(message.chunk(), &all[some..]);
                        message.advance(random.below(message.remaining() + 1));
                        all
                    };
                    if let Some(all) = decoder.pop_plain(read) {
                        found.push((false, all));
                    } else if let Some(frame) = decoder.pop().unwrap() {
                        found.push((frame.compressed, frame.payload.into_bytes().to_vec()));
                    } else {
                        break;
                    }
                }
            }
            decoder.finish().unwrap();
            assert_eq!(found, expected, "seed {seed}");
        }
    }

    #[test]
    fn what_was_read_keeps_no_buffer_alive() {
        let mut decoder = FrameDecoder::new(8);
        let chunk = Bytes::from(b"\0\0\0\0\x01x".to_vec());
        decoder.push(chunk.clone());
        assert!(!chunk.is_unique());
        assert_eq!(decoder.pop_plain(|message| message.remaining()), Some(1));
        assert!(chunk.is_unique());
    }

    #[test]
    fn what_is_wrong_is_left_to_pop() {
        for wire in [b"\x02\0\0\0\x01x", b"\0\0\0\0\x09x", b"\0\0\0\0\x02x"] {
            let mut decoder = FrameDecoder::new(8);
            decoder.push(Bytes::from_static(wire));
            assert!(decoder.pop_plain(|_| ()).is_none());
            assert!(decoder.pop().map_or(true, |frame| frame.is_none()));
            assert!(decoder.pop_plain(|_| ()).is_none());
        }
    }

    #[test]
    fn a_reader_that_panics_leaves_a_stream_that_was_cut() {
        let mut decoder = FrameDecoder::new(8);
        decoder.push(Bytes::from_static(b"\0\0\0\0\x01x\0\0\0\0\x01y"));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            decoder.pop_plain(|_| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert!(decoder.pop().unwrap().is_none());
        assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut decoder = FrameDecoder::new(usize::MAX);
        decoder.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]));
        assert!(decoder.pop().unwrap().is_none());
        assert_eq!(room(&decoder) + decoder.first.len(), 0);
        assert_eq!(decoder.chunks.capacity(), 0);
    }

    /// Room for a large message is made once a quarter of it is there, and what it came in is free
    /// from then on.
    #[test]
    fn a_large_message_is_put_together_as_it_arrives() {
        const LENGTH: usize = 1 << 20;
        let mut decoder = FrameDecoder::new(LENGTH);
        let mut wire = vec![0];
        wire.extend_from_slice(&u32::try_from(LENGTH).unwrap().to_be_bytes());
        wire.extend((0..LENGTH).map(|at| u8::try_from(at % 251).unwrap()));
        let behind = [0, 0, 0, 0, 1, 7];
        wire.extend_from_slice(&behind);
        let mut pushed = 0;
        for part in wire.chunks(10_000) {
            let chunk = Bytes::copy_from_slice(part);
            let is_last = pushed + part.len() == wire.len();
            decoder.push(chunk.clone());
            pushed += part.len();
            let frame = decoder.pop().unwrap();
            assert_eq!(frame.is_some(), is_last);
            let room = room(&decoder);
            assert!(room <= 4 * pushed, "room for {room} with {pushed} there");
            assert!(is_last || pushed < LENGTH / 3 || chunk.is_unique());
            if let Some(frame) = frame {
                let message = frame.payload.into_bytes();
                assert_eq!(message, &wire[5..5 + LENGTH]);
                let next = decoder.pop().unwrap().unwrap();
                assert_eq!(next.payload.into_bytes(), &behind[5..]);
            }
        }
        assert!(decoder.is_empty());
        decoder.finish().unwrap();
    }
}
