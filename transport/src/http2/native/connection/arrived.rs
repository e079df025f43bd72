//! What has arrived for a stream, and how it waits.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::{Bytes, BytesMut};

use super::super::head::{FieldList, Head};
use super::super::lent::{Depot, Lend, Lent, Shelf};
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
    /// Nothing most of the time.
    parts: Lent<Parts>,
    pub(in super::super) end: Option<End>,
}

/// All but its end.
#[derive(Debug, Default)]
pub(in super::super) struct Parts {
    pub(in super::super) head: Option<Head>,
    /// Client: the head had END_STREAM, which is not the same as one in an empty DATA behind it.
    pub(in super::super) is_all: bool,
    /// In order; short payloads are joined in `tail`, which comes last.
    pub(in super::super) chunks: Chunks,
    pub(in super::super) tail: BytesMut,
    pub(in super::super) trailers: Option<FieldList>,
}

thread_local! {
    static SHELF: Shelf<Parts> = const { RefCell::new(Vec::new()) };
}

static DEPOT: Depot<Parts> = Depot::new();

impl Lend for Parts {
    fn shelf() -> &'static LocalKey<Shelf<Self>> {
        &SHELF
    }

    fn depot() -> &'static Depot<Self> {
        &DEPOT
    }

    #[inline]
    fn clear(&mut self) {
        self.head = None;
        self.is_all = false;
        self.drop_body();
        self.trailers = None;
    }
}

impl Inbound {
    /// All but its end, if there is anything.
    #[inline]
    pub(in super::super) fn parts(&self) -> Option<&Parts> {
        self.parts.get()
    }

    /// The same, to add to it.
    #[inline]
    pub(in super::super) fn open(&mut self) -> &mut Parts {
        self.parts.open()
    }

    #[inline]
    pub(in super::super) fn take_head(&mut self) -> Option<Head> {
        self.parts.get_mut()?.head.take()
    }

    pub(in super::super) fn take_trailers(&mut self) -> Option<FieldList> {
        let trailers = self.parts.get_mut()?.trailers.take();
        self.rest();
        trailers
    }

    /// The first payload of those that wait.
    #[inline]
    pub(in super::super) fn take_chunk(&mut self) -> Option<Bytes> {
        let parts = self.parts.get_mut()?;
        let chunk = match parts.chunks.pop_front() {
            Some(chunk) => chunk,
            None if parts.tail.is_empty() => return None,
            None => std::mem::take(&mut parts.tail).freeze(),
        };
        self.rest();
        Some(chunk)
    }

    /// Everything, if it is a whole answer.
    #[inline]
    pub(in super::super) fn take_all(&mut self) -> Self {
        Self {
            parts: std::mem::take(&mut self.parts),
            end: self.end,
        }
    }

    /// A payload waits.
    pub(in super::super) fn has_body(&self) -> bool {
        self.parts().is_some_and(Parts::has_body)
    }

    /// A payload has come.
    #[inline]
    pub(in super::super) fn store(&mut self, payload: Bytes) {
        if !payload.is_empty() {
            self.open().store(payload);
        }
    }

    /// All of another one but its end. What is there already was first.
    #[inline]
    pub(in super::super) fn store_all(&mut self, from: &mut Self) {
        self.rest();
        from.rest();
        match (self.parts.get_mut(), from.parts.get_mut()) {
            (_, None) => {}
            (None, Some(_)) => std::mem::swap(&mut self.parts, &mut from.parts),
            (Some(parts), Some(more)) => {
                parts.store_all(more);
                from.parts.close();
            }
        }
    }

    /// Whatever payloads wait are dropped.
    pub(in super::super) fn drop_body(&mut self) {
        if let Some(parts) = self.parts.get_mut() {
            parts.drop_body();
        }
        self.rest();
    }

    /// All but the end is dropped.
    pub(in super::super) fn clear(&mut self) {
        self.parts.close();
    }

    /// A place with nothing in it is given back.
    #[inline]
    pub(in super::super) fn rest(&mut self) {
        if self.parts().is_some_and(Parts::is_empty) {
            self.parts.close();
        }
    }
}

impl Parts {
    #[inline]
    fn is_empty(&self) -> bool {
        self.head.is_none() && self.trailers.is_none() && !self.has_body()
    }

    #[inline]
    fn has_body(&self) -> bool {
        !self.chunks.is_empty() || !self.tail.is_empty()
    }

    #[inline]
    fn store(&mut self, payload: Bytes) {
        if payload.len() <= SHORT && self.has_body() {
            self.tail.extend_from_slice(&payload);
            return;
        }
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.chunks.push_back(tail);
        }
        self.chunks.push_back(payload);
    }

    fn store_all(&mut self, from: &mut Self) {
        if from.head.is_some() {
            self.head = from.head.take();
            self.is_all = from.is_all;
        }
        if from.trailers.is_some() {
            self.trailers = from.trailers.take();
        }
        if !self.has_body() {
            std::mem::swap(&mut self.chunks, &mut from.chunks);
            std::mem::swap(&mut self.tail, &mut from.tail);
            return;
        }
        while let Some(chunk) = from.chunks.pop_front() {
            self.store(chunk);
        }
        self.tail.extend_from_slice(&from.tail);
    }

    fn drop_body(&mut self) {
        self.chunks.clear();
        if self.tail.capacity() > 0 {
            self.tail = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(inbound: &Inbound) -> Vec<u8> {
        let Some(parts) = inbound.parts() else {
            return Vec::new();
        };
        let mut all: Vec<u8> = parts.chunks.iter().flatten().copied().collect();
        all.extend_from_slice(&parts.tail);
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
        assert_eq!(waits.open().chunks.len(), 1, "the first one");
        assert_eq!(waits.open().tail.len(), 99 * 4_000);
        let large = Bytes::from(vec![1; 5_000]);
        waits.store(large.clone());
        assert_eq!(waits.open().chunks.len(), 3);
        let last = waits.open().chunks.iter().last().unwrap();
        assert_eq!(last.as_ptr(), large.as_ptr(), "not copied");
        assert!(waits.open().tail.is_empty());
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
        assert_eq!(waits.open().chunks.len(), 1);
        assert!(waits.open().tail.capacity() <= 2 * waits.open().tail.len());
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
                    let taken = waits.take_chunk().unwrap_or_default();
                    assert!(expected.starts_with(&taken));
                    expected.drain(..taken.len());
                }
            }
            assert_eq!(bytes(&waits), expected, "seed {seed}");
        }
    }
}
