//! Pieces behind a first one.

use std::collections::VecDeque;

use bytes::Bytes;

/// A queue that is mostly empty, and then nothing but a null to move and to drop.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces(Option<Box<Queue>>);

#[derive(Clone, Debug, Default)]
struct Queue(VecDeque<Bytes>);

impl Pieces {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn push_back(&mut self, piece: Bytes) {
        self.0.get_or_insert_default().0.push_back(piece);
    }

    pub(super) fn pop_front(&mut self) -> Option<Bytes> {
        self.0.as_mut()?.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.0.is_empty())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().flat_map(|queue| &queue.0)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.0.capacity())
    }
}
