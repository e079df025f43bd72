//! Payloads that wait.

use std::collections::VecDeque;

use bytes::Bytes;

/// Payloads in their order, none of them empty. The first one costs no allocation: most streams
/// never have a second.
#[derive(Debug, Default)]
pub(in super::super) struct Chunks {
    /// `None` if there is nothing at all.
    first: Option<Bytes>,
    /// Behind that. Without any there is but a null to move and to drop.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More(VecDeque<Bytes>);

impl Chunks {
    #[inline]
    pub(in super::super) fn push_back(&mut self, chunk: Bytes) {
        if self.first.is_none() {
            self.first = Some(chunk);
        } else {
            self.more.get_or_insert_default().0.push_back(chunk);
        }
    }

    #[inline]
    pub(in super::super) fn pop_front(&mut self) -> Option<Bytes> {
        let first = self.first.take();
        if let (true, Some(more)) = (first.is_some(), &mut self.more) {
            self.first = more.0.pop_front();
        }
        first
    }

    pub(in super::super) const fn front_mut(&mut self) -> Option<&mut Bytes> {
        self.first.as_mut()
    }

    pub(in super::super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[cfg(test)]
    pub(in super::super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.0.len())
    }

    pub(in super::super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        let more = self.more.iter().flat_map(|more| &more.0);
        self.first.iter().chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_a_queue() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut both = [(); 2].map(|()| (Chunks::default(), VecDeque::new()));
            for number in 0..100_u8 {
                let [(chunks, model), _] = &mut both;
                match rng.u8(..8) {
                    0..4 => {
                        let chunk = Bytes::copy_from_slice(&[number]);
                        chunks.push_back(chunk.clone());
                        model.push_back(chunk);
                    }
                    4..6 => assert_eq!(chunks.pop_front(), model.pop_front()),
                    _ => both.swap(0, 1),
                }
                for (chunks, model) in &mut both {
                    assert!(chunks.iter().eq(model.iter()), "seed {seed}");
                    assert_eq!(chunks.len(), model.len());
                    assert_eq!(chunks.is_empty(), model.is_empty());
                    assert_eq!(chunks.front_mut().cloned(), model.front().cloned());
                }
            }
        }
    }
}
