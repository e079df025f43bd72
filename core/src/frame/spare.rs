//! Buffers of large messages that were used, for the next ones.
//!
//! Allocators give large blocks back to the system and get them anew, page by page: with messages of
//! a MiB that costs more than anything else that is done for them. What is kept here is bounded, by
//! one number for the whole process, and given back when nobody has used it for a while. There is no
//! clock here: whoever has one [sweeps](sweep_spare_buffers).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;

use super::reuse;

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

/// Whether there are any, for those who ask often.
static SOME: AtomicBool = AtomicBool::new(false);

/// Buffers, known by an empty handle each. One is spare once nothing else points into it.
#[derive(Debug)]
struct Spare {
    /// The oldest first.
    known: VecDeque<Known>,
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    bytes: usize,
    handle: BytesMut,
    /// A message lay in it since the last sweep.
    was_used: bool,
}

/// An empty buffer with at least this much room.
pub(super) fn buffer(room: usize) -> BytesMut {
    if room < reuse::LEAST_BYTES {
        return BytesMut::with_capacity(room);
    }
    if !(LEAST_BYTES..=MOST_BYTES).contains(&room) {
        return reuse::buffer_for(room);
    }
    let found = spare().take(room);
    found.unwrap_or_else(|| {
        let mut handle = BytesMut::with_capacity(room);
        let buffer = handle.split_off(0);
        // What is too much is dropped without the lock.
        let mut spare = spare();
        let dropped = spare.keep(room, handle);
        SOME.store(true, Ordering::Relaxed);
        drop(spare);
        drop(dropped);
        buffer
    })
}

/// Gives back the memory of messages that nobody uses, of which up to 9 MiB are kept for the next
/// ones: 8 MiB of large ones, and 1 MiB of buffers of 1 to 32 KiB.
///
/// Connections see to it that what was not used for a second or two is given back: those that have
/// something to do. A process in which all of them are idle keeps what a late reader has left.
pub fn release_spare_buffers() {
    let mut spare = spare();
    let all = spare.clear();
    SOME.store(false, Ordering::Relaxed);
    drop(spare);
    drop(all);
    reuse::release();
}

/// Gives back the memory of messages that nobody has used since the last sweep; true if some
/// is kept. One who sweeps once a second keeps it for a second or two.
pub fn sweep_spare_buffers() -> bool {
    let mut spare = spare();
    let dropped = spare.sweep();
    let some = !spare.known.is_empty();
    SOME.store(some, Ordering::Relaxed);
    drop(spare);
    drop(dropped);
    reuse::sweep() || some
}

/// Whether memory of messages may be kept: costs two loads.
#[inline]
pub fn has_spare_buffers() -> bool {
    SOME.load(Ordering::Relaxed) || reuse::has_some()
}

fn spare() -> MutexGuard<'static, Spare> {
    // No code of others runs under it.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spare {
    fn take(&mut self, room: usize) -> Option<BytesMut> {
        for known in &mut self.known {
            let fits = known.bytes >= room && known.bytes / PART <= room;
            if fits && known.handle.try_reclaim(room) {
                known.was_used = true;
                return Some(known.handle.split_off(0));
            }
        }
        None
    }

    fn keep(&mut self, bytes: usize, handle: BytesMut) -> Vec<Known> {
        self.known.push_back(Known {
            bytes,
            handle,
            was_used: true,
        });
        self.bytes += bytes;
        let mut dropped = Vec::new();
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.known.pop_front()
        {
            self.bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        dropped
    }

    /// Those that no message lay in since the last time.
    fn sweep(&mut self) -> VecDeque<Known> {
        let all = std::mem::take(&mut self.known);
        let (mut kept, dropped): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|known| known.was_used);
        for known in &mut kept {
            known.was_used = false;
        }
        self.known = kept;
        self.bytes = self.known.iter().map(|known| known.bytes).sum();
        dropped
    }

    fn clear(&mut self) -> VecDeque<Known> {
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
            let sum: usize = spare.known.iter().map(|known| known.bytes).sum();
            assert_eq!(spare.bytes, sum);
            assert!(sum <= MOST_BYTES);
        }
        drop(spare.clear());
        assert_eq!((spare.bytes, spare.known.len()), (0, 0));
        assert!(spare.take(LEAST_BYTES).is_none());
    }

    #[test]
    fn what_was_not_used_since_the_last_sweep_is_given_back() {
        let mut spare = new();
        let (large, small) = (buffer(&mut spare, MIB), buffer(&mut spare, LEAST_BYTES));
        drop((large, small));
        assert!(spare.sweep().is_empty(), "both were used");
        for _ in 0..3 {
            drop(buffer(&mut spare, MIB));
            drop(spare.sweep());
            let left: Vec<_> = spare.known.iter().map(|known| known.bytes).collect();
            assert_eq!((left, spare.bytes), (vec![MIB], MIB));
        }
        let held = buffer(&mut spare, MIB);
        assert!(spare.sweep().is_empty());
        assert_eq!(spare.sweep().len(), 1, "it is its holder's alone");
        drop(held);
        assert_eq!((spare.bytes, spare.known.len()), (0, 0));
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
