//! A driver rests when many small DATA frames have come, so that those who read get to read them.
//!
//! h2 ends a connection on which too many small DATA frames are unread, to protect its memory. A
//! peer may send any message in frames of a few bytes, and a driver that finds plenty of them in
//! its socket would hand over more than that before the reader, who is awake, had its turn. So
//! after [`MANY`] of them in a row nothing is read until a reader has caught up, or until
//! [`PATIENCE`] is over: then nobody reads, and that is the budget's business.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use trunkline_core::Deadline;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{Timer, now};

/// Small frames that are read without a rest. Four times as many fit into the default budget.
const MANY: u32 = 2_000;

/// A DATA frame is small, for h2's budget, below this.
const SMALL: usize = 256;

/// How long a driver rests when nobody reads.
const PATIENCE: Duration = Duration::from_millis(10);

/// The bytes of a frame's head (RFC 9113 §4.1).
const HEAD: usize = 9;

const DATA: u8 = 0;

/// What the readers of a connection and its socket share.
#[derive(Debug, Default)]
pub(super) struct Readers {
    resting: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl Readers {
    /// A reader has read all that was there, or all of its stream. One load, unless the driver rests.
    #[inline]
    pub(super) fn caught_up(&self) {
        if self.resting.load(Ordering::Acquire) {
            self.resting.store(false, Ordering::Release);
            let driver = self.driver.lock().take();
            if let Some(driver) = driver {
                driver.wake();
            }
        }
    }
}

/// Counts the small frames that a socket brings, and makes it rest.
#[derive(Debug)]
pub(super) struct Rest {
    readers: Arc<Readers>,
    /// Bytes up to the next frame's head.
    skip: usize,
    head: [u8; HEAD],
    /// How much of the head has come.
    come: usize,
    small: u32,
    /// Set while it rests.
    until: Option<Box<Timer>>,
}

impl Rest {
    /// For a socket whose first frame begins behind a preface of this many bytes.
    pub(super) fn new(readers: Arc<Readers>, preface: usize) -> Self {
        Self {
            readers,
            skip: preface,
            head: [0; HEAD],
            come: 0,
            small: 0,
            until: None,
        }
    }

    /// Ready when more may be read; the driver is woken otherwise.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.small < MANY {
            return Poll::Ready(());
        }
        let starts = self.until.is_none();
        let until = self
            .until
            .get_or_insert_with(|| Box::new(Timer::new(Some(Deadline::after(now(), PATIENCE)))));
        let readers = &self.readers;
        let over = until.poll_expired(cx).is_ready();
        *readers.driver.lock() = Some(cx.waker().clone());
        if starts {
            readers.resting.store(true, Ordering::Release);
        } else if over || !readers.resting.load(Ordering::Acquire) {
            readers.resting.store(false, Ordering::Release);
            (self.small, self.until) = (0, None);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// The socket had nothing more for now: whoever is to read has time to.
    pub(super) const fn waits_anyway(&mut self) {
        self.small = 0;
    }

    /// Counts the frames in what has just been read.
    pub(super) fn count(&mut self, mut read: &[u8]) {
        loop {
            let skipped = self.skip.min(read.len());
            self.skip -= skipped;
            read = read.get(skipped..).unwrap_or_default();
            let Some(rest) = self.head.get_mut(self.come..) else {
                return;
            };
            let taken = rest.len().min(read.len());
            if taken == 0 {
                return;
            }
            let (now, later) = read.split_at(taken);
            for (place, byte) in rest.iter_mut().zip(now) {
                *place = *byte;
            }
            (self.come, read) = (self.come + taken, later);
            if self.come == HEAD {
                let [high, middle, low, kind, ..] = self.head;
                let length = u32::from_be_bytes([0, high, middle, low]);
                self.skip = usize::try_from(length).unwrap_or(usize::MAX);
                self.come = 0;
                if kind == DATA && self.skip < SMALL {
                    self.small = self.small.saturating_add(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![0, (length >> 8) as u8, length as u8, kind, 0, 0, 0, 0, 1];
        frame.resize(HEAD + length, DATA);
        frame
    }

    #[test]
    fn small_data_frames_are_counted_however_they_come() {
        let frames = [
            (DATA, 5, 1),
            (1, 5, 0),
            (DATA, 255, 1),
            (DATA, 256, 0),
            (DATA, 16_384, 0),
            (4, 0, 0),
            (DATA, 0, 1),
            (DATA, 1, 1),
        ];
        let mut bytes = vec![9; 24];
        let mut expected = 0;
        for (kind, length, small) in frames {
            bytes.extend(frame(kind, length));
            expected += small;
        }
        for size in [1, 2, 3, 8, 9, 10, 100, 1_000, bytes.len()] {
            let mut rest = Rest::new(Arc::default(), 24);
            bytes.chunks(size).for_each(|piece| rest.count(piece));
            assert_eq!(
                (rest.small, rest.skip, rest.come),
                (expected, 0, 0),
                "{size}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_ends_when_a_reader_has_caught_up_or_nobody_reads() {
        let readers = Arc::new(Readers::default());
        let mut rest = Rest::new(Arc::clone(&readers), 0);
        let many: Vec<u8> = (0..MANY).flat_map(|_| frame(DATA, 5)).collect();
        let mut cx = Context::from_waker(Waker::noop());
        readers.caught_up();
        rest.count(&many[14..]);
        assert!(rest.poll_over(&mut cx).is_ready());
        rest.count(&many[..14]);
        assert!(rest.poll_over(&mut cx).is_pending());
        assert!(rest.poll_over(&mut cx).is_pending(), "nobody has read");
        readers.caught_up();
        assert!(rest.poll_over(&mut cx).is_ready());
        assert!(
            rest.poll_over(&mut cx).is_ready(),
            "until as many have come"
        );
        rest.count(&many);
        let started = tokio::time::Instant::now();
        std::future::poll_fn(|cx| rest.poll_over(cx)).await;
        assert!(started.elapsed() >= PATIENCE);
        rest.count(&many);
        rest.waits_anyway();
        assert!(rest.poll_over(&mut cx).is_ready());
    }
}
