//! Buffers of some KiB that were used, for the next messages.
//!
//! A block of more than a KiB makes glibc's allocator gather all small blocks that were freed before
//! it, and those are then made anew: between many small messages that costs more than the block. What
//! is kept here is bounded, by one number for the whole process, and given back when nobody has used
//! any for a while: see [`sweep_spare_buffers`](super::sweep_spare_buffers).
//!
//! Nobody waits for it: while another thread is at it, a buffer is made anew, or dropped.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};

/// Smaller ones are what allocators are best at.
pub(super) const LEAST_BYTES: usize = 1024;

/// The largest that are kept: all that a stream may be ahead of its window.
const MOST_BYTES: usize = 32 * 1024;

/// All that are kept: what the streams of some connections have on their way at once.
const ALL_BYTES: usize = 1024 * 1024;

/// How many are looked at for one that fits. Mostly the last one that was kept does.
const LOOKS: usize = 4;

/// A buffer is not taken for less than this part of it.
const PART: usize = 2;

static KEPT: Mutex<Kept> = Mutex::new(Kept::new());

/// Whether there are any, for those who ask often.
static SOME: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Kept {
    /// Empty ones; the one that was used last is behind.
    buffers: VecDeque<BytesMut>,
    bytes: usize,
    /// One was taken or came since the last sweep.
    was_used: bool,
}

/// An empty buffer with at least this much room, and at most twice as much: one that was used, if
/// one is kept that fits.
#[doc(hidden)]
#[must_use]
pub fn buffer_for(room: usize) -> BytesMut {
    let kept = match room {
        LEAST_BYTES..=MOST_BYTES if has_some() => {
            KEPT.try_lock().ok().and_then(|mut kept| kept.take(room))
        }
        _ => None,
    };
    kept.unwrap_or_else(|| BytesMut::with_capacity(room))
}

/// Drops what was sent. If nobody else needs its memory, and that is of some KiB, it is kept for
/// [`buffer_for`].
#[doc(hidden)]
#[inline]
pub fn reuse_buffer(bytes: Bytes) {
    if (LEAST_BYTES..=MOST_BYTES).contains(&bytes.len()) {
        keep(bytes);
    }
}

fn keep(bytes: Bytes) {
    // What belongs to somebody else is dropped here, without the lock.
    let Some(buffer) = whole(bytes) else {
        return;
    };
    let Ok(mut kept) = KEPT.try_lock() else {
        return;
    };
    let dropped = kept.keep(buffer);
    SOME.store(true, Ordering::Relaxed);
    drop(kept);
    drop(dropped);
}

/// All of the block that this lies in, empty, unless others need it or it is too large: what is cut off
/// at the border of a frame holds all of it, and shows a part.
fn whole(bytes: Bytes) -> Option<BytesMut> {
    let mut buffer = bytes.try_into_mut().ok()?;
    buffer.clear();
    // What lies in front comes back whole, what lies behind as far as it is asked for.
    if buffer.try_reclaim(buffer.capacity() + 1) {
        let mut more = MOST_BYTES / 2;
        while more > 0 {
            let _ = buffer.try_reclaim(buffer.capacity() + more);
            more /= 2;
        }
    }
    (!buffer.try_reclaim(MOST_BYTES + 1)).then_some(buffer)
}

/// Whether any are kept: costs a load.
pub(super) fn has_some() -> bool {
    SOME.load(Ordering::Relaxed)
}

/// Gives all back unless some were used since the last sweep; true if some are kept.
pub(super) fn sweep() -> bool {
    let Ok(mut kept) = KEPT.try_lock() else {
        return true;
    };
    let dropped = kept.sweep();
    let some = !kept.buffers.is_empty();
    SOME.store(some, Ordering::Relaxed);
    drop(kept);
    drop(dropped);
    some
}

/// Gives all back.
pub(super) fn release() {
    let Ok(mut kept) = KEPT.try_lock() else {
        return;
    };
    let all = std::mem::replace(&mut *kept, Kept::new());
    SOME.store(false, Ordering::Relaxed);
    drop(kept);
    drop(all);
}

impl Kept {
    const fn new() -> Self {
        Self {
            buffers: VecDeque::new(),
            bytes: 0,
            was_used: false,
        }
    }

    fn take(&mut self, room: usize) -> Option<BytesMut> {
        let fits = |buffer: &BytesMut| (room..=room * PART).contains(&buffer.capacity());
        let found = self.buffers.iter().rev().take(LOOKS).position(fits)?;
        let index = self.buffers.len().checked_sub(found + 1)?;
        let buffer = self.buffers.swap_remove_back(index)?;
        self.bytes -= buffer.capacity();
        self.was_used = true;
        Some(buffer)
    }

    /// The oldest one makes room, if it must: it is of a length that nobody asks for any more.
    fn keep(&mut self, buffer: BytesMut) -> Vec<BytesMut> {
        self.bytes += buffer.capacity();
        self.was_used = true;
        self.buffers.push_back(buffer);
        let mut dropped = Vec::new();
        while self.bytes > ALL_BYTES
            && let Some(oldest) = self.buffers.pop_front()
        {
            self.bytes -= oldest.capacity();
            dropped.push(oldest);
        }
        dropped
    }

    fn sweep(&mut self) -> VecDeque<BytesMut> {
        match std::mem::take(&mut self.was_used) {
            true => VecDeque::new(),
            false => std::mem::replace(self, Self::new()).buffers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(kept: &mut Kept, room: usize) -> Bytes {
        let buffer = kept.take(room);
        let mut buffer = buffer.unwrap_or_else(|| BytesMut::with_capacity(room));
        assert!(buffer.is_empty() && buffer.capacity() >= room);
        buffer.extend_from_slice(&vec![7; room]);
        buffer.freeze()
    }

    fn reuse(kept: &mut Kept, bytes: Bytes) {
        if let Some(buffer) = whole(bytes) {
            drop(kept.keep(buffer));
        }
    }

    fn held(kept: &Kept) -> (usize, usize) {
        let sum: usize = kept.buffers.iter().map(BytesMut::capacity).sum();
        assert_eq!(kept.bytes, sum);
        (kept.buffers.len(), sum)
    }

    #[test]
    fn one_that_was_sent_serves_for_the_next_that_is_about_as_long() {
        let mut kept = Kept::new();
        let first = used(&mut kept, 2_500);
        let at = first.as_ptr();
        reuse(&mut kept, first);
        assert_eq!(held(&kept), (1, 2_500));
        let [longer, shorter] = [2_501, 1_249].map(|room| used(&mut kept, room));
        assert!(longer.as_ptr() != at && shorter.as_ptr() != at);
        let next = used(&mut kept, 1_250);
        assert_eq!((next.as_ptr(), held(&kept)), (at, (0, 0)));
    }

    #[test]
    fn what_others_need_or_is_no_such_buffer_is_not_kept() {
        let mut kept = Kept::new();
        let shared = used(&mut kept, 4_000);
        let other = shared.clone();
        reuse(&mut kept, shared);
        assert_eq!(held(&kept), (0, 0));
        assert_eq!(other, [7; 4_000].as_slice());
        // The last to go.
        reuse(&mut kept, other);
        assert_eq!(held(&kept), (1, 4_000));
        reuse(&mut kept, Bytes::from_static(&[1; 2_000]));
        reuse(&mut kept, Bytes::from_owner(vec![1; 2_000]));
        let mut end = used(&mut kept, 1024 * 1024);
        reuse(&mut kept, end.split_off(1024 * 1024 - 2_000));
        drop(end.split_to(1024 * 1024 - 4_000));
        reuse(&mut kept, end);
        assert_eq!(held(&kept), (1, 4_000));
    }

    #[test]
    fn what_was_cut_at_the_border_of_a_frame_counts_with_all_that_it_holds() {
        let mut kept = Kept::new();
        for _ in 0..100 {
            let mut message = used(&mut kept, 17_500);
            drop(message.split_to(16_384));
            reuse(&mut kept, message);
            assert_eq!(held(&kept), (1, 17_500), "and serves for the next one");
            let mut message = used(&mut kept, 17_500);
            bytes::Buf::advance(&mut message, 16_000);
            reuse(&mut kept, message);
            assert_eq!(held(&kept), (1, 17_500));
            let mut message = used(&mut kept, 17_500);
            let end = message.split_off(1_024);
            drop(end);
            reuse(&mut kept, message);
            assert_eq!(held(&kept), (1, 17_500));
        }
    }

    #[test]
    fn all_that_is_kept_is_bounded_and_the_oldest_go() {
        let mut kept = Kept::new();
        let many: Vec<_> = (0..1_000)
            .map(|n| used(&mut kept, LEAST_BYTES + n * 31))
            .collect();
        for one in many {
            reuse(&mut kept, one);
            assert!(held(&kept).1 <= ALL_BYTES);
        }
        let (count, _) = held(&kept);
        assert!(count > 10);
        let last = used(&mut kept, LEAST_BYTES + 999 * 31);
        assert_eq!(held(&kept).0, count - 1, "it is there");
        drop(last);
        drop(used(&mut kept, LEAST_BYTES));
        assert_eq!(held(&kept).0, count - 1, "it is not");
    }

    #[test]
    fn what_nobody_has_used_between_two_sweeps_is_given_back() {
        let mut kept = Kept::new();
        let first = used(&mut kept, 2_000);
        reuse(&mut kept, first);
        assert_eq!(kept.sweep().len(), 0, "it has just come");
        let again = used(&mut kept, 2_000);
        reuse(&mut kept, again);
        assert_eq!(kept.sweep().len(), 0);
        assert_eq!(kept.sweep().len(), 1);
        assert_eq!(held(&kept), (0, 0));
    }
}
