//! Buffers of some KiB that were used, for the next messages of the same thread.
//!
//! A block of more than a KiB makes glibc's allocator gather all small blocks that were freed before
//! it, and those are then made anew: between many small messages that costs more than the block. What
//! is kept here is bounded, and given back by whoever [releases](release_thread_buffers) it.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Smaller ones are what allocators are best at.
pub(super) const LEAST_BYTES: usize = 1024;

/// The largest that are kept: all that a stream may be ahead of its window.
const MOST_BYTES: usize = 32 * 1024;

/// All of a thread: what the streams of some connections have on their way at once.
const ALL_BYTES: usize = 512 * 1024;

/// How many are looked at for one that fits. Mostly the last one that was kept does.
const LOOKS: usize = 4;

/// A buffer is not taken for less than this part of it.
const PART: usize = 2;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept::new()) };
}

#[derive(Debug)]
struct Kept {
    /// Empty ones; the one that was used last is behind.
    buffers: VecDeque<BytesMut>,
    bytes: usize,
}

/// An empty buffer with at least this much room, and at most twice as much: one that was used, if
/// the thread keeps one that fits.
pub fn buffer_for(room: usize) -> BytesMut {
    // Where a thread's values are gone already each is made anew.
    let kept = || KEPT.try_with(|kept| kept.borrow_mut().take(room));
    let kept = match room {
        LEAST_BYTES..=MOST_BYTES => kept().ok().flatten(),
        _ => None,
    };
    kept.unwrap_or_else(|| BytesMut::with_capacity(room))
}

/// Drops what was sent. If nobody else needs its memory, and that is of some KiB, the thread keeps
/// it for [`buffer_for`].
#[inline]
pub fn reuse_buffer(bytes: Bytes) {
    if (LEAST_BYTES..=MOST_BYTES).contains(&bytes.len()) {
        keep(bytes);
    }
}

/// Gives back the memory that this thread keeps for the next messages.
pub fn release_thread_buffers() {
    let all = KEPT.try_with(|kept| kept.replace(Kept::new()));
    drop(all);
}

fn keep(bytes: Bytes) {
    // What belongs to somebody else is dropped here, where nothing is borrowed.
    let Ok(mut buffer) = bytes.try_into_mut() else {
        return;
    };
    buffer.clear();
    // It may be the end of a much larger one.
    if !buffer.try_reclaim(MOST_BYTES + 1) {
        let _ = KEPT.try_with(|kept| kept.borrow_mut().keep(buffer));
    }
}

impl Kept {
    const fn new() -> Self {
        Self {
            buffers: VecDeque::new(),
            bytes: 0,
        }
    }

    fn take(&mut self, room: usize) -> Option<BytesMut> {
        let fits = |buffer: &BytesMut| (room..=room * PART).contains(&buffer.capacity());
        let found = self.buffers.iter().rev().take(LOOKS).position(fits)?;
        let index = self.buffers.len().checked_sub(found + 1)?;
        let buffer = self.buffers.swap_remove_back(index)?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// The oldest ones make room: they are of lengths that nobody asks for any more.
    fn keep(&mut self, buffer: BytesMut) {
        self.bytes += buffer.capacity();
        self.buffers.push_back(buffer);
        while self.bytes > ALL_BYTES
            && let Some(oldest) = self.buffers.pop_front()
        {
            self.bytes -= oldest.capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(room: usize) -> Bytes {
        let mut buffer = buffer_for(room);
        assert!(buffer.is_empty() && buffer.capacity() >= room);
        buffer.extend_from_slice(&vec![7; room]);
        buffer.freeze()
    }

    fn kept() -> (usize, usize) {
        KEPT.with_borrow(|kept| {
            let sum: usize = kept.buffers.iter().map(BytesMut::capacity).sum();
            assert_eq!(kept.bytes, sum);
            (kept.buffers.len(), sum)
        })
    }

    #[test]
    fn one_that_was_sent_serves_for_the_next_that_is_about_as_long() {
        let first = used(2_500);
        let at = first.as_ptr();
        reuse_buffer(first);
        assert_eq!(kept(), (1, 2_500));
        let [longer, shorter] = [used(2_501), used(1_249)];
        assert!(longer.as_ptr() != at && shorter.as_ptr() != at);
        let next = used(1_250);
        assert_eq!((next.as_ptr(), kept()), (at, (0, 0)));
        reuse_buffer(next);
        release_thread_buffers();
        assert_eq!(kept(), (0, 0));
    }

    #[test]
    fn what_others_need_or_is_no_such_buffer_is_not_kept() {
        let shared = used(4_000);
        let other = shared.clone();
        reuse_buffer(shared);
        assert_eq!(kept(), (0, 0));
        assert_eq!(other, [7; 4_000].as_slice());
        // The last to go.
        reuse_buffer(other);
        assert_eq!(kept(), (1, 4_000));
        reuse_buffer(used(LEAST_BYTES - 1));
        reuse_buffer(used(MOST_BYTES + 1));
        reuse_buffer(Bytes::from_static(&[1; 2_000]));
        reuse_buffer(Bytes::from_owner(vec![1; 2_000]));
        let mut end = used(1024 * 1024);
        reuse_buffer(end.split_off(1024 * 1024 - 2_000));
        drop(end.split_to(1024 * 1024 - 4_000));
        reuse_buffer(end);
        assert_eq!(kept(), (1, 4_000));
        release_thread_buffers();
    }

    #[test]
    fn all_that_a_thread_keeps_is_bounded_and_the_oldest_go() {
        let many: Vec<Bytes> = (0..1_000).map(|n| used(LEAST_BYTES + n * 31)).collect();
        for one in many {
            reuse_buffer(one);
            assert!(kept().1 <= ALL_BYTES);
        }
        let (count, _) = kept();
        assert!(count > 10);
        let last = used(LEAST_BYTES + 999 * 31);
        assert_eq!(kept().0, count - 1, "it is there");
        drop(last);
        let _first = used(LEAST_BYTES);
        assert_eq!(kept().0, count - 1, "it is not");
        release_thread_buffers();
    }
}
