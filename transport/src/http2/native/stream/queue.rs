//! What a stream has still to send.

use bytes::Bytes;

use super::super::out::Out;
use super::chunks::Chunks;

/// Payloads in their order, and how long they are together.
#[derive(Debug, Default)]
pub(in super::super) struct SendQueue {
    chunks: Chunks,
    bytes: usize,
}

impl SendQueue {
    pub(in super::super) fn push(&mut self, payload: Bytes) {
        if payload.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(payload.len());
        self.chunks.push_back(payload);
    }

    pub(in super::super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in super::super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Places the first `length` bytes, of which there are as many.
    pub(in super::super) fn place(&mut self, length: usize, out: &mut Out) {
        let mut left = length.min(self.bytes);
        self.bytes -= left;
        while left > 0 {
            let Some(first) = self.chunks.front_mut() else {
                return;
            };
            if first.len() > left {
                out.piece(first.split_to(left));
                return;
            }
            left -= first.len();
            if let Some(whole) = self.chunks.pop_front() {
                out.piece(whole);
            }
        }
    }

    pub(in super::super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_placed_in_any_pieces() {
        for seed in 0..500 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut queue, mut out) = (SendQueue::default(), Out::default());
            let mut expected = Vec::new();
            for _ in 0..rng.usize(1..20) {
                let payload: Vec<u8> = (0..rng.usize(..9_000)).map(|_| rng.u8(..)).collect();
                expected.extend_from_slice(&payload);
                queue.push(payload.into());
                let some = rng.usize(..=queue.bytes());
                queue.place(some, &mut out);
            }
            queue.place(usize::MAX, &mut out);
            assert!(queue.is_empty() && queue.chunks.is_empty());
            assert_eq!(written(&mut out), expected, "seed {seed}");
        }
    }

    fn written(out: &mut Out) -> Vec<u8> {
        let mut all = Vec::new();
        while !out.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[]); 8];
            let used = out.slices(&mut slices);
            let bytes: Vec<u8> = slices[..used].iter().flat_map(|s| s.to_vec()).collect();
            out.advance(bytes.len());
            all.extend(bytes);
        }
        all
    }
}
