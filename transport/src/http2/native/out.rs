//! What waits to be written: small bytes in one buffer, large payloads as they are.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use trunkline_core::reuse_buffer;

/// Up to this length a payload is copied: that costs less than one more slice of a vectored write.
const COPY: usize = 2 * 1024;

/// A buffer that more has passed through at once is not kept by the thread.
const KEPT: u64 = 64 * 1024;

thread_local! {
    /// Where small bytes are put. A connection has it until the socket has taken them: one that has
    /// nothing to write needs none.
    static BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Bytes in the order in which they are to be written.
#[derive(Debug)]
pub(super) struct Out {
    small: BytesMut,
    /// Each with how many small bytes, counted from the first ever, come before it.
    pieces: VecDeque<(u64, Bytes)>,
    /// The sum of what is left of the pieces.
    pieces_length: usize,
    /// Small bytes that the socket took.
    small_taken: u64,
    /// How many those were when nothing was held: a buffer of which all was taken does not show that
    /// it is there.
    small_shrunk: u64,
    /// All bytes that the socket took.
    taken: u64,
    copy: usize,
}

impl Default for Out {
    fn default() -> Self {
        Self {
            small: BytesMut::new(),
            pieces: VecDeque::new(),
            pieces_length: 0,
            small_taken: 0,
            small_shrunk: 0,
            taken: 0,
            copy: COPY,
        }
    }
}

impl Out {
    /// For a socket without vectored writes: payloads of up to `length` octets are copied, so that
    /// few writes carry many.
    pub(super) fn copy_up_to(&mut self, length: usize) {
        self.copy = length;
    }

    /// Lends the thread's buffer, before something is added.
    #[inline]
    pub(super) fn borrow(&mut self) {
        if self.small.capacity() > 0 {
            return;
        }
        // Where a thread's values are gone already each connection has its own.
        if let Ok(Some(buffer)) = BUFFER.try_with(Cell::take) {
            self.small = buffer;
        }
    }

    /// Gives the buffer to the thread if nothing waits.
    #[inline]
    pub(super) fn give_back(&mut self) {
        if !self.can_shrink() {
            return;
        }
        let buffer = std::mem::take(&mut self.small);
        // It has grown with what passed through it, at most to twice as much.
        let passed = self.small_taken - self.small_shrunk;
        self.small_shrunk = self.small_taken;
        if passed <= KEPT {
            let _ = BUFFER.try_with(|place| place.set(Some(buffer)));
        }
    }

    /// Gives back the memory of this thread's buffer.
    pub(super) fn release() {
        let buffer = BUFFER.try_with(Cell::take);
        drop(buffer);
    }

    /// Where heads and other small things are added. What is in there must not be touched.
    pub(super) fn small(&mut self) -> &mut BytesMut {
        &mut self.small
    }

    /// Adds a payload: shared, unless it is short.
    pub(super) fn piece(&mut self, piece: Bytes) {
        if piece.len() <= self.copy {
            self.small.extend_from_slice(&piece);
            return reuse_buffer(piece);
        }
        self.pieces_length += piece.len();
        let before = self.small_taken + count(self.small.len());
        self.pieces.push_back((before, piece));
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.small.len() + self.pieces_length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes that were ever added: the offset of what is added next.
    pub(super) fn placed(&self) -> u64 {
        self.taken + count(self.len())
    }

    /// All bytes that the socket took.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// All that waits, where it is in one place.
    pub(super) fn only(&self) -> Option<&[u8]> {
        self.pieces.is_empty().then_some(self.small.as_ref())
    }

    /// Fills `into` with the first of what waits; returns how many slices that are.
    pub(super) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut small = self.small.as_ref();
        let mut passed = self.small_taken;
        let mut places = into.iter_mut();
        let mut used = 0;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            let place = places.next();
            used += usize::from(place.is_some());
            place.map(|place| *place = IoSlice::new(bytes)).is_some()
        };
        for (before, piece) in &self.pieces {
            let (first, rest) = split(small, before - passed);
            (small, passed) = (rest, *before);
            if !put(first) || !put(piece) {
                return used;
            }
        }
        put(small);
        used
    }

    /// The socket took the first `n` of these bytes.
    pub(super) fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len());
        self.taken += count(left);
        while left > 0 {
            let Some((before, piece)) = self.pieces.front_mut() else {
                return self.advance_small(left);
            };
            let until = *before - self.small_taken;
            if until > 0 {
                let small = usize::try_from(until).map_or(left, |until| until.min(left));
                self.advance_small(small);
                left -= small;
                continue;
            }
            let part = piece.len().min(left);
            self.pieces_length -= part;
            left -= part;
            if part < piece.len() {
                piece.advance(part);
            } else if let Some((_, whole)) = self.pieces.pop_front() {
                reuse_buffer(whole);
            }
        }
    }

    /// There is memory that [`shrink`](Self::shrink) would give back.
    pub(super) fn can_shrink(&self) -> bool {
        self.is_empty() && self.small_taken > self.small_shrunk
    }

    /// Gives back all memory if nothing waits; for a connection that was idle for a while.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            self.small = BytesMut::new();
            self.small_shrunk = self.small_taken;
            self.pieces = VecDeque::new();
        }
    }

    fn advance_small(&mut self, n: usize) {
        self.small.advance(n);
        self.small_taken += count(n);
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(at).ok();
    at.and_then(|at| bytes.split_at_checked(at))
        .unwrap_or((bytes, &[]))
}

/// `usize` has at most 64 bits on any platform there is.
fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
