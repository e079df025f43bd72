//! Buffers of large messages that were used, for the next ones.
//!
//! Allocators give large blocks back to the system and get them anew, page by page: with messages of
//! a MiB that costs more than anything else that is done for them. What is kept here is bounded, by
//! one number for the whole process, and given back when connections come to rest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;

/// Shorter buffers are what allocators are good at.
const LEAST_BYTES: usize = 128 * 1024;

/// All that are known, in use or not.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A buffer is not taken for a message of less than this part of it.
const PART: usize = 2;

static SPARE: Mutex<Spare> = Mutex::new(Spare {
    known: VecDeque::new(),
    bytes: 0,
});

/// Buffers, known by an empty handle each. One is spare once nothing else points into it.
#[derive(Debug)]
struct Spare {
    /// How large each is; the oldest first.
    known: VecDeque<(usize, BytesMut)>,
    bytes: usize,
}

/// An empty buffer with at least this much room.
pub(super) fn buffer(room: usize) -> BytesMut {
    if !(LEAST_BYTES..=MOST_BYTES).contains(&room) {
        return BytesMut::with_capacity(room);
    }
    let found = spare().take(room);
    found.unwrap_or_else(|| {
        let mut handle = BytesMut::with_capacity(room);
        let buffer = handle.split_off(0);
        // What is too much is dropped without the lock.
        let dropped = spare().keep(room, handle);
        drop(dropped);
        buffer
    })
}

/// Gives back the memory of large messages that nobody uses, of which up to 8 MiB are kept for the
/// next ones.
///
/// Connections on the native HTTP/2 engine do it when they have been at rest for a quarter of a second; those on the
/// h2 engine never do.
pub fn release_spare_buffers() {
    let all = spare().clear();
    drop(all);
}

fn spare() -> MutexGuard<'static, Spare> {
    // No code of others runs under it.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spare {
    fn take(&mut self, room: usize) -> Option<BytesMut> {
        for (bytes, handle) in &mut self.known {
            let fits = *bytes >= room && *bytes / PART <= room;
            if fits && handle.try_reclaim(room) {
                return Some(handle.split_off(0));
            }
        }
        None
    }

    fn keep(&mut self, bytes: usize, handle: BytesMut) -> Vec<BytesMut> {
        self.known.push_back((bytes, handle));
        self.bytes += bytes;
        let mut dropped = Vec::new();
        while self.bytes > MOST_BYTES
            && let Some((bytes, handle)) = self.known.pop_front()
        {
            self.bytes -= bytes;
            dropped.push(handle);
        }
        dropped
    }

    fn clear(&mut self) -> VecDeque<(usize, BytesMut)> {
        self.bytes = 0;
        std::mem::take(&mut self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn new() -> Spare {
        Spare {
            known: VecDeque::new(),
            bytes: 0,
        }
    }

    fn buffer(spare: &mut Spare, room: usize) -> BytesMut {
        spare.take(room).unwrap_or_else(|| {
            let mut handle = BytesMut::with_capacity(room);
            let buffer = handle.split_off(0);
            drop(spare.keep(room, handle));
            buffer
        })
    }

    #[test]
    fn a_buffer_is_used_again_once_nothing_points_into_it() {
        let mut spare = new();
        let mut first = buffer(&mut spare, MIB);
        assert!(first.capacity() >= MIB);
        first.extend_from_slice(&[7; MIB]);
        let at = first.as_ptr();
        let mut first = first.freeze();
        let part = first.split_to(10);
        drop(first);
        let second = buffer(&mut spare, MIB);
        assert_ne!(second.as_ptr(), at, "a part of it is in use");
        assert_eq!(part, [7; 10].as_slice());
        drop(part);
        let third = buffer(&mut spare, MIB - 1_000);
        assert_eq!((third.as_ptr(), third.len()), (at, 0));
        assert!(third.capacity() >= MIB - 1_000);
        drop((second, third));
        assert!(spare.take(MIB / 2 - 1).is_none(), "too large for that");
        assert!(spare.take(MIB + 1).is_none(), "too small for that");
    }

    #[test]
    fn what_is_kept_is_bounded_and_can_be_given_back() {
        let mut spare = new();
        let mut used = Vec::new();
        for length in 1..200 {
            used.push(buffer(&mut spare, LEAST_BYTES + length * 1_000));
            let sum: usize = spare.known.iter().map(|(bytes, _)| bytes).sum();
            assert_eq!(spare.bytes, sum);
            assert!(sum <= MOST_BYTES);
        }
        drop(spare.clear());
        assert_eq!((spare.bytes, spare.known.len()), (0, 0));
        assert!(spare.take(LEAST_BYTES).is_none());
    }

    #[test]
    fn one_that_outgrows_its_buffer_gets_another_one() {
        let mut buffer = super::buffer(LEAST_BYTES);
        buffer.extend_from_slice(&[1; LEAST_BYTES]);
        buffer.extend_from_slice(&[2; LEAST_BYTES]);
        assert_eq!(buffer.len(), 2 * LEAST_BYTES);
        assert!(buffer.starts_with(&[1]) && buffer.ends_with(&[2]));
        release_spare_buffers();
    }
}
