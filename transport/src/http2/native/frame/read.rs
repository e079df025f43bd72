//! Frames out of one buffer, whatever pieces its bytes came in.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::head::{self, Head};
use super::payload::{PRIORITY_FIELDS, no_room, other, priority, unpad};
use super::{Fatal, Frame, PREFACE, Reason, StreamId};

/// What is read into at first, and again once a connection was idle.
const BUFFER: usize = 16 * 1024;

/// What is read into once a read filled the buffer.
const LARGE_BUFFER: usize = 64 * 1024;

/// What is read into while long DATA frames come, and how long those are: fewer reads, and fewer
/// frames that are cut by the end of a buffer and copied into the next one.
const BULK_BUFFER: usize = 256 * 1024;
const BULK_FRAME: u32 = 8 * 1024;

/// DATA of up to this length is copied. A slice would pin the buffer, and costs about the same.
const COPY: usize = 512;

/// The same once there was a bulk buffer, of which a slice pins more.
const BULK_COPY: usize = 2 * 1024;

/// How many frames a header block may come in, HEADERS among them.
const BLOCK_FRAMES: u32 = 16;

/// What a CONTINUATION without a payload counts, since it is there for no good reason.
const EMPTY_FRAME: u32 = 4;

/// Takes frames out of what was read: checks all that needs no state of the connection, joins
/// header blocks, takes off padding.
///
/// It holds what was read and not yet taken, and one header block of a bounded size. Nothing is
/// allocated for a length that the peer only claims. After an error it gives nothing but that.
#[derive(Debug)]
pub(in super::super) struct Reader {
    buffer: BytesMut,
    /// Up to here the buffer is taken.
    at: usize,
    max_frame: u32,
    max_block: usize,
    /// The preface is awaited.
    preface: bool,
    /// A header block of which the end is missing, or the last that was joined.
    block: Vec<u8>,
    open: Option<OpenBlock>,
    failed: Option<Fatal>,
    /// A read has filled the buffer.
    large: bool,
    /// What was read last ends within a long DATA frame.
    bulk: bool,
    /// The buffer may be one for that.
    wide: bool,
    /// There was room, and someone read into it.
    reserved: bool,
}

/// A header block whose end is missing.
#[derive(Clone, Copy, Debug)]
struct OpenBlock {
    stream: StreamId,
    end: bool,
    depends_on: Option<StreamId>,
    /// The frames so far, empty ones counted fourfold.
    frames: u32,
}

/// A frame that is there as a whole, by its place in the buffer.
#[derive(Debug)]
enum Whole {
    Data {
        stream: StreamId,
        payload: Range<usize>,
        padding: usize,
        flow: u32,
        end: bool,
    },
    /// All of the block in one frame.
    Headers {
        stream: StreamId,
        block: Range<usize>,
        end: bool,
        depends_on: Option<StreamId>,
    },
    /// The block lies in `block`.
    Joined(OpenBlock),
    Other(Head, Range<usize>),
}

impl Reader {
    /// For frames of up to `max_frame` octets, as our SETTINGS say, and encoded header blocks of
    /// up to `max_block`.
    pub(in super::super) fn new(max_frame: u32, max_block: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            at: 0,
            max_frame,
            max_block,
            preface: false,
            block: Vec::new(),
            open: None,
            failed: None,
            large: false,
            bulk: false,
            wide: false,
            reserved: false,
        }
    }

    /// Server: the client's preface comes first (RFC 9113 §3.4).
    pub(in super::super) fn expect_preface(&mut self) {
        self.preface = true;
    }

    /// What is to be read into, after [`reserve`](Self::reserve). Bytes are only ever added.
    pub(in super::super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Makes room for a read.
    pub(in super::super) fn reserve(&mut self) {
        let length = self.buffer.len();
        let spare = self.buffer.capacity() - length;
        self.large |= self.reserved && spare == 0;
        self.reserved = true;
        let wanted = match (self.large, self.bulk) {
            (true, true) => BULK_BUFFER,
            (true, false) => LARGE_BUFFER,
            (false, _) => BUFFER,
        };
        let least = wanted / 4;
        if spare < least {
            self.wide |= wanted == BULK_BUFFER;
            self.buffer
                .reserve(wanted.saturating_sub(length).max(least));
        }
    }

    /// Whether there is nothing to be read into.
    pub(in super::super) fn has_no_buffer(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Takes a buffer to be read into, where there is none.
    pub(in super::super) fn lend(&mut self, buffer: BytesMut) {
        if self.has_no_buffer() {
            self.buffer = buffer;
            self.reserved = false;
        }
    }

    /// Gives the buffer away if nothing is left in it and another connection may read into it. Not
    /// one for bulk data: slices of it pin more than others know.
    pub(in super::super) fn give_away(&mut self) -> Option<BytesMut> {
        let is_free = self.buffer.is_empty() && self.buffer.capacity() <= LARGE_BUFFER;
        (is_free && !self.wide).then(|| std::mem::take(&mut self.buffer))
    }

    /// The next frame, if it is there as a whole.
    ///
    /// # Errors
    ///
    /// The peer broke a rule that ends the connection. Seen as early as a frame's head shows it.
    pub(in super::super) fn next(&mut self) -> Result<Option<Frame<'_>>, Fatal> {
        let Some((head, payload)) = self.plain() else {
            return self.next_of_any();
        };
        self.at = payload.end;
        let (stream, end) = (head.stream, head.has(head::END_STREAM));
        Ok(Some(if head.kind == head::DATA {
            Frame::Data {
                stream,
                payload: self.payload(payload, 0),
                flow: head.length,
                end,
            }
        } else {
            Frame::Headers {
                stream,
                block: self.buffer.get(payload).unwrap_or_default(),
                end,
                depends_on: None,
            }
        }))
    }

    /// The head and the place of a frame as most are: DATA, or a header block in one frame, on a
    /// stream, whole and without padding. What breaks a rule is not among them.
    #[inline]
    fn plain(&self) -> Option<(Head, Range<usize>)> {
        let unread = self.buffer.get(self.at..)?;
        let (octets, rest) = unread.split_first_chunk()?;
        let head = Head::parse(*octets);
        let length = usize::try_from(head.length).ok()?;
        let flags = head.flags & !head::END_STREAM;
        let is_plain = match head.kind {
            head::DATA => flags == 0,
            head::HEADERS => flags == head::END_HEADERS && length <= self.max_block,
            _ => false,
        };
        let is_lawful = head.length <= self.max_frame && head.stream != StreamId::ZERO;
        let is_next = self.open.is_none() && !self.preface && self.failed.is_none();
        let start = self.at + head::LENGTH;
        (is_plain && is_lawful && is_next && length <= rest.len())
            .then_some((head, start..start + length))
    }

    /// The next frame, whichever it is.
    fn next_of_any(&mut self) -> Result<Option<Frame<'_>>, Fatal> {
        if let Some(fatal) = self.failed {
            return Err(fatal);
        }
        match self.whole() {
            Ok(Some(whole)) => Ok(self.frame(whole)),
            Ok(None) => {
                self.settle();
                Ok(None)
            }
            Err(fatal) => {
                self.failed = Some(fatal);
                Err(fatal)
            }
        }
    }

    /// The end of the stream of bytes would cut a frame, a header block or the preface.
    pub(in super::super) fn mid_frame(&self) -> bool {
        self.at < self.buffer.len() || self.open.is_some()
    }

    /// A header block was begun and its end is missing. It has 10 s.
    pub(in super::super) fn mid_block(&self) -> bool {
        self.open.is_some()
    }

    /// There is memory that [`shrink`](Self::shrink) would give back.
    pub(in super::super) fn can_shrink(&self) -> bool {
        self.buffer.capacity() > self.buffer.len() || self.block.capacity() > self.block.len()
    }

    /// Gives back all memory that holds no unread byte; for a connection that was idle for a while.
    pub(in super::super) fn shrink(&mut self) {
        let unread = self.buffer.get(self.at..).unwrap_or_default();
        self.buffer = if unread.is_empty() {
            BytesMut::new()
        } else {
            BytesMut::from(unread)
        };
        self.at = 0;
        if self.open.is_none() {
            self.block = Vec::new();
        } else {
            self.block.shrink_to_fit();
        }
        self.large = false;
        self.bulk = false;
        self.wide = false;
        self.reserved = false;
    }

    /// Steps over the next frame that means something by itself.
    fn whole(&mut self) -> Result<Option<Whole>, Fatal> {
        if self.preface && !self.take_preface()? {
            return Ok(None);
        }
        loop {
            let unread = self.buffer.get(self.at..).unwrap_or_default();
            let Some((octets, rest)) = unread.split_first_chunk() else {
                self.bulk &= !unread.is_empty();
                return Ok(None);
            };
            let head = Head::parse(*octets);
            head.check(self.max_frame, self.open.map(|open| open.stream))?;
            let Some(payload) = usize::try_from(head.length)
                .ok()
                .and_then(|n| rest.get(..n))
            else {
                self.bulk = head.kind == head::DATA && head.length >= BULK_FRAME;
                return Ok(None);
            };
            let start = self.at + head::LENGTH;
            let end = start + payload.len();
            match head.kind {
                head::DATA => {
                    let (own, padding) = unpad(head, payload)?;
                    let payload = start + own.start..start + own.end;
                    self.at = end;
                    return Ok(Some(Whole::Data {
                        stream: head.stream,
                        payload,
                        padding,
                        flow: head.length,
                        end: head.has(head::END_STREAM),
                    }));
                }
                head::HEADERS => {
                    let (mut own, _) = unpad(head, payload)?;
                    let mut depends_on = None;
                    if head.has(head::PRIORITISED) {
                        let fields = payload.get(own.clone()).unwrap_or_default();
                        let fields = priority(fields).ok_or_else(|| no_room(head, payload));
                        depends_on = Some(fields?);
                        own.start += PRIORITY_FIELDS;
                    }
                    let open = OpenBlock {
                        stream: head.stream,
                        end: head.has(head::END_STREAM),
                        depends_on,
                        frames: 1,
                    };
                    if own.len() > self.max_block {
                        return Err(block_too_large());
                    }
                    if head.has(head::END_HEADERS) {
                        self.at = end;
                        return Ok(Some(Whole::Headers {
                            stream: open.stream,
                            block: start + own.start..start + own.end,
                            end: open.end,
                            depends_on,
                        }));
                    }
                    self.block.clear();
                    let own = payload.get(own).unwrap_or_default();
                    self.block.extend_from_slice(own);
                    self.open = Some(open);
                    self.at = end;
                }
                head::CONTINUATION => {
                    // Checked with the head: there is one.
                    let Some(open) = &mut self.open else { continue };
                    open.frames += if payload.is_empty() { EMPTY_FRAME } else { 1 };
                    if open.frames > BLOCK_FRAMES
                        || self.block.len() + payload.len() > self.max_block
                    {
                        return Err(block_too_large());
                    }
                    self.block.extend_from_slice(payload);
                    self.at = end;
                    if head.has(head::END_HEADERS)
                        && let Some(open) = self.open.take()
                    {
                        return Ok(Some(Whole::Joined(open)));
                    }
                }
                _ => {
                    self.at = end;
                    return Ok(Some(Whole::Other(head, start..end)));
                }
            }
        }
    }

    /// Whether the preface is there and taken.
    fn take_preface(&mut self) -> Result<bool, Fatal> {
        let there = self.buffer.len().min(PREFACE.len());
        if self.buffer.get(..there) != PREFACE.get(..there) {
            return Err(Fatal::protocol("no HTTP/2 connection preface"));
        }
        if there < PREFACE.len() {
            return Ok(false);
        }
        self.preface = false;
        self.at = PREFACE.len();
        Ok(true)
    }

    fn frame(&mut self, whole: Whole) -> Option<Frame<'_>> {
        Some(match whole {
            Whole::Data {
                stream,
                payload,
                padding,
                flow,
                end,
            } => Frame::Data {
                stream,
                payload: self.payload(payload, padding),
                flow,
                end,
            },
            Whole::Headers {
                stream,
                block,
                end,
                depends_on,
            } => Frame::Headers {
                stream,
                block: self.buffer.get(block)?,
                end,
                depends_on,
            },
            Whole::Joined(open) => Frame::Headers {
                stream: open.stream,
                block: &self.block,
                end: open.end,
                depends_on: open.depends_on,
            },
            Whole::Other(head, payload) => other(head, self.buffer.get(payload)?),
        })
    }

    /// DATA without its padding, which is stepped over already: a copy when it is short, else a
    /// slice of the buffer.
    fn payload(&mut self, at: Range<usize>, padding: usize) -> Bytes {
        let length = at.len();
        let copied = if self.wide { BULK_COPY } else { COPY };
        if length <= copied {
            let payload = self.buffer.get(at).unwrap_or_default();
            return Bytes::copy_from_slice(payload);
        }
        self.buffer.advance(at.start);
        let payload = self.buffer.split_to(length).freeze();
        self.at = padding;
        payload
    }

    /// Nothing whole is left: what is taken makes room for what is to be read.
    fn settle(&mut self) {
        if self.at >= self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.advance(self.at);
        }
        self.at = 0;
    }
}

fn block_too_large() -> Fatal {
    Fatal::new(Reason::ENHANCE_YOUR_CALM, "header_block_too_large")
}

#[cfg(test)]
mod tests;
