//! What has arrived for a stream, and how it waits.

use bytes::{Bytes, BytesMut};

use super::super::head::{FieldList, Head};
use super::super::stream::Chunks;
use super::End;

/// Payloads up to this length are joined where something else waits already. A handle for each
/// would cost more than a short one holds, and keeps the buffer alive that it was read into, 64 KiB
/// perhaps, whose rest may be long gone: a peer that sends a little to streams that nobody reads,
/// and much to others, would make us hold many times their windows.
const SHORT: usize = 4 * 1024;

/// What has arrived for a stream and was not yet taken by its reader.
#[derive(Debug, Default)]
pub(in super::super) struct Inbound {
    pub(in super::super) head: Option<Head>,
    /// Client: the head had END_STREAM, which is not the same as one in an empty DATA behind it.
    pub(in super::super) is_all: bool,
    /// In order; short payloads are joined in `tail`, which comes last.
    pub(in super::super) chunks: Chunks,
    pub(in super::super) tail: BytesMut,
    pub(in super::super) trailers: Option<FieldList>,
    pub(in super::super) end: Option<End>,
}

impl Inbound {
    /// A payload has come.
    pub(in super::super) fn store(&mut self, payload: Bytes) {
        if payload.is_empty() {
            return;
        }
        let something_waits = !self.chunks.is_empty() || !self.tail.is_empty();
        if payload.len() <= SHORT && something_waits {
            self.tail.extend_from_slice(&payload);
            return;
        }
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.chunks.push_back(tail);
        }
        self.chunks.push_back(payload);
    }

    /// All payloads of another one, which come behind these.
    pub(in super::super) fn store_all(&mut self, from: &mut Self) {
        if self.chunks.is_empty() && self.tail.is_empty() {
            std::mem::swap(&mut self.chunks, &mut from.chunks);
            std::mem::swap(&mut self.tail, &mut from.tail);
            return;
        }
        while let Some(chunk) = from.chunks.pop_front() {
            self.store(chunk);
        }
        self.tail.extend_from_slice(&from.tail);
        from.tail.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(inbound: &Inbound) -> Vec<u8> {
        let mut all: Vec<u8> = inbound.chunks.iter().flatten().copied().collect();
        all.extend_from_slice(&inbound.tail);
        all
    }

    #[test]
    fn what_waits_keeps_few_buffers_alive() {
        let mut waits = Inbound::default();
        for _ in 0..100 {
            // A batch of its own, as a peer sends it that has time.
            let mut batch = Inbound::default();
            let buffer = Bytes::from(vec![0; 64 * 1024]);
            batch.store(buffer.slice(..4_000));
            waits.store_all(&mut batch);
        }
        assert_eq!(waits.chunks.len(), 1, "the first one");
        assert_eq!(waits.tail.len(), 99 * 4_000);
        let large = Bytes::from(vec![1; 5_000]);
        waits.store(large.clone());
        assert_eq!(waits.chunks.len(), 3);
        let last = waits.chunks.iter().last().unwrap();
        assert_eq!(last.as_ptr(), large.as_ptr(), "not copied");
        assert!(waits.tail.is_empty());
    }

    #[test]
    fn single_bytes_cost_a_byte_each_however_they_come() {
        let mut waits = Inbound::default();
        for number in 0..200_000_u32 {
            let mut batch = Inbound::default();
            for _ in 0..=number % 3 {
                batch.store(Bytes::from_static(b"x"));
            }
            waits.store_all(&mut batch);
        }
        assert_eq!(waits.chunks.len(), 1);
        assert!(waits.tail.capacity() <= 2 * waits.tail.len());
    }

    #[test]
    fn bytes_keep_their_order() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut waits, mut expected) = (Inbound::default(), Vec::new());
            for _ in 0..20 {
                let mut batch = Inbound::default();
                for _ in 0..random.usize(..5) {
                    let length = random.usize(..3) * random.usize(..5_000);
                    let payload: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
                    expected.extend_from_slice(&payload);
                    batch.store(payload.into());
                }
                waits.store_all(&mut batch);
                assert_eq!(bytes(&batch), [0; 0]);
                if random.u8(..5) == 0 {
                    let taken = waits.chunks.pop_front().unwrap_or_default();
                    assert!(expected.starts_with(&taken));
                    expected.drain(..taken.len());
                }
            }
            assert_eq!(bytes(&waits), expected, "seed {seed}");
        }
    }
}
