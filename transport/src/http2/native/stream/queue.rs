//! What a stream has still to send.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::Bytes;

use super::super::hpack::Fields;
use super::super::lent::{Depot, Lend, Lent, Shelf};
use super::super::out::Out;
use super::chunks::Chunks;

/// Payloads in their order, how long they are together, and what follows the last one.
#[derive(Debug, Default)]
pub(in super::super) struct SendQueue {
    /// There is one where there is anything.
    unsent: Lent<Unsent>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(in super::super) struct Unsent {
    chunks: Chunks,
    fin: Fin,
}

/// What follows the last byte of data.
#[derive(Debug, Default)]
pub(in super::super) enum Fin {
    /// Not known yet.
    #[default]
    Open,
    EndStream,
    Trailers(Fields),
}

thread_local! {
    static SHELF: Shelf<Unsent> = const { RefCell::new(Vec::new()) };
}

static DEPOT: Depot<Unsent> = Depot::new();

impl Lend for Unsent {
    fn shelf() -> &'static LocalKey<Shelf<Self>> {
        &SHELF
    }

    fn depot() -> &'static Depot<Self> {
        &DEPOT
    }

    #[inline]
    fn clear(&mut self) {
        self.chunks.clear();
        self.fin = Fin::Open;
    }
}

impl SendQueue {
    pub(in super::super) fn push(&mut self, payload: Bytes) {
        if payload.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(payload.len());
        self.unsent.open().chunks.push_back(payload);
    }

    pub(in super::super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// No payload, and no end.
    #[inline]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.unsent.get().is_none()
    }

    #[inline]
    pub(in super::super) fn fin(&self) -> &Fin {
        self.unsent.get().map_or(&Fin::Open, |unsent| &unsent.fin)
    }

    pub(in super::super) fn set_fin(&mut self, fin: Fin) {
        self.unsent.open().fin = fin;
    }

    /// What follows the last byte, which is placed. Nothing is left then.
    #[inline]
    pub(in super::super) fn take_fin(&mut self) -> Fin {
        let Some(unsent) = self.unsent.get_mut() else {
            return Fin::Open;
        };
        let fin = std::mem::take(&mut unsent.fin);
        self.clear();
        fin
    }

    /// Places the first `length` bytes, of which there are as many.
    pub(in super::super) fn place(&mut self, length: usize, out: &mut Out) {
        let Some(unsent) = self.unsent.get_mut() else {
            return;
        };
        let mut left = length.min(self.bytes);
        self.bytes -= left;
        while left > 0 {
            let Some(first) = unsent.chunks.front_mut() else {
                return;
            };
            if first.len() > left {
                out.piece(first.split_to(left));
                return;
            }
            left -= first.len();
            if let Some(whole) = unsent.chunks.pop_front() {
                out.piece(whole);
            }
        }
        if self.bytes == 0 && matches!(unsent.fin, Fin::Open) {
            self.unsent.close();
        }
    }

    pub(in super::super) fn clear(&mut self) {
        self.bytes = 0;
        self.unsent.close();
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
            assert!(queue.is_empty() && queue.bytes() == 0);
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
