//! The bytes of one message, in the pieces in which they arrived.

use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::pieces::Pieces;

/// The bytes of one message; usually one piece, never joined unless somebody asks for it.
///
/// Read it as a [`Buf`]. `copy_to_bytes` inside one piece shares memory instead of copying.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The piece being read; nothing of it is the message's only if nothing is left at all.
    first: Bytes,
    /// Bytes at its end that are not the message's; then there is no piece behind it.
    behind: usize,
    /// Pieces behind it, none of them empty.
    rest: Pieces,
    rest_bytes: usize,
}

impl Payload {
    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.in_first().saturating_add(self.rest_bytes)
    }

    /// Whether no bytes are left.
    pub fn is_empty(&self) -> bool {
        self.in_first() == 0
    }

    /// All bytes that are left, in one piece. Copies only if there are several.
    pub fn into_bytes(mut self) -> Bytes {
        self.copy_to_bytes(self.len())
    }

    /// The first bytes of a buffer, which is given back by [`into_behind`](Self::into_behind): so
    /// a message that is read at once shares the buffer with nobody.
    pub(super) const fn front_of(buffer: Bytes, length: usize) -> Self {
        let behind = buffer.len().saturating_sub(length);
        Self {
            first: buffer,
            behind,
            rest: Pieces::new(),
            rest_bytes: 0,
        }
    }

    /// What lies behind the message, whatever was read of that.
    pub(super) fn into_behind(mut self) -> Bytes {
        self.first.advance(self.in_first());
        self.first
    }

    /// Takes out all that is left, to be kept.
    pub(super) fn take_all(&mut self) -> Self {
        if self.behind > 0 {
            return Self::from(self.first.split_to(self.in_first()));
        }
        std::mem::take(self)
    }

    #[inline]
    const fn in_first(&self) -> usize {
        self.first.len().saturating_sub(self.behind)
    }

    /// Adds a piece at the end.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest_bytes = self.rest_bytes.saturating_add(piece.len());
            self.rest.push_back(piece);
        }
    }

    /// Goes on past the end of the first piece, at least up to it.
    fn advance_over(&mut self, mut count: usize) {
        assert!(count <= self.len(), "advanced past the end of a message");
        if self.behind > 0 {
            return self.first.advance(count);
        }
        while count >= self.first.len() && count > 0 {
            count -= self.first.len();
            self.first.clear();
            self.refill();
        }
        self.first.advance(count);
    }

    /// Goes on to the next piece once the first is used up.
    fn refill(&mut self) {
        if self.first.is_empty() && self.rest_bytes > 0 {
            self.first = self.rest.pop_front().unwrap_or_default();
            self.rest_bytes = self.rest_bytes.saturating_sub(self.first.len());
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self {
            first: bytes,
            behind: 0,
            rest: Pieces::new(),
            rest_bytes: 0,
        }
    }
}

impl Buf for Payload {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.first.get(..self.in_first()).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let rest = self.rest.iter().map(|piece| &piece[..]);
        let pieces = std::iter::once(self.chunk()).chain(rest);
        let pieces = pieces.filter(|piece| !piece.is_empty());
        let filled = slices.iter_mut().zip(pieces);
        filled
            .map(|(slot, piece)| *slot = IoSlice::new(piece))
            .count()
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        if count < self.in_first() {
            self.first.advance(count);
        } else {
            self.advance_over(count);
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        if count <= self.in_first() {
            let taken = self.first.split_to(count);
            self.refill();
            return taken;
        }
        assert!(count <= self.len(), "read past the end of a message");
        let mut joined = BytesMut::with_capacity(count);
        joined.put(self.take(count));
        joined.freeze()
    }
}
