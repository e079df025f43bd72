//! Calls that queue for a free stream, and the control loop that serves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use loom::thread;

use crate::channel::queue::Queue;
use crate::http2::slots::{Permit, Slots};
use crate::sync::Notify;
use crate::world::{block_on, check, join, join_all};

/// What a channel, its calls and its control loop share of a queue.
#[derive(Debug)]
struct Channel {
    queue: Queue<Permit>,
    slots: Arc<Slots>,
    wake: Notify,
    freed: Arc<Notify>,
    /// Calls that had their stream: for the model's eyes.
    served: AtomicUsize,
}

impl Channel {
    fn new(limit: usize) -> Arc<Self> {
        let freed = Arc::new(Notify::new());
        Arc::new(Self {
            queue: Queue::new(),
            slots: Slots::new(limit, Arc::clone(&freed)),
            wake: Notify::new(),
            freed,
            served: AtomicUsize::new(0),
        })
    }

    /// A call: takes a free stream unless others wait, or waits like them.
    fn call(&self) -> Permit {
        if self.queue.is_empty()
            && let Some(permit) = self.slots.try_take()
        {
            return permit;
        }
        let mut ticket = self.queue.join();
        self.wake.notify_one();
        block_on(|cx| ticket.poll_turn(cx, || self.wake.notify_one()))
    }

    /// The control loop, as far as it serves the queue, until so many calls were served.
    fn control(&self, calls: usize) {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            let now = Instant::now();
            self.queue.serve(|| now, || self.slots.try_take());
            if self.served.load(Ordering::Relaxed) == calls {
                return;
            }
            let mut woken = std::pin::pin!(self.wake.notified());
            block_on(|cx| {
                if freed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                woken.as_mut().poll(cx)
            });
        }
    }

    fn serve_once(&self, now: Instant) {
        self.queue.serve(|| now, || self.slots.try_take());
    }

    fn assert_quiet(&self) {
        assert_eq!(self.slots.in_use(), 0, "a permit is lost");
        assert_eq!(self.queue.len(), 0, "a place is counted that nobody has");
        let next = self.queue.join();
        assert_eq!(
            self.queue.wake_at(),
            None,
            "a gift is counted that nobody has"
        );
        drop(next);
    }
}

/// Two calls and one stream: both have it in the end, whether the control loop sleeps or not.
pub fn calls_that_queue_are_served() {
    check(3, || {
        let channel = Channel::new(1);
        let calls = [(); 2].map(|()| {
            let channel = Arc::clone(&channel);
            thread::spawn(move || {
                drop(channel.call());
                channel.served.fetch_add(1, Ordering::Relaxed);
                // As a channel's last clone does.
                channel.wake.notify_one();
            })
        });
        channel.control(2);
        join_all(calls);
        channel.assert_quiet();
    });
}

/// A call is cancelled while the control loop gives it its stream.
pub fn a_cancelled_call_gives_its_stream_back() {
    check(3, || {
        let channel = Channel::new(1);
        let call = {
            let channel = Arc::clone(&channel);
            thread::spawn(move || {
                let mut ticket = channel.queue.join();
                let mut cx = Context::from_waker(Waker::noop());
                let polled = ticket.poll_turn(&mut cx, || ());
                drop(ticket);
                drop(polled);
            })
        };
        let now = Instant::now();
        channel.serve_once(now);
        channel.serve_once(now);
        join(call);
        channel.assert_quiet();
    });
}

/// A stream is taken back from a call for the next one while it comes for it after all: one of the
/// two has it, and the other is still in the queue.
pub fn a_stream_that_is_taken_back_is_had_once() {
    check(3, || {
        let channel = Channel::new(1);
        let t0 = Instant::now();
        let late = t0 + Duration::from_secs(1);
        let slow = {
            let channel = Arc::clone(&channel);
            thread::spawn(move || {
                let mut slow = channel.queue.join();
                channel.serve_once(t0);
                let mut cx = Context::from_waker(Waker::noop());
                let polled = slow.poll_turn(&mut cx, || channel.wake.notify_one());
                let had = polled.is_ready();
                drop(polled);
                if !had {
                    assert!(!channel.queue.is_empty(), "it takes part again");
                }
                had
            })
        };
        let mut next = channel.queue.join();
        channel.queue.take_back(late);
        channel.serve_once(late);
        let mut cx = Context::from_waker(Waker::noop());
        let polled = next.poll_turn(&mut cx, || ());
        join(slow);
        drop((polled, next));
        channel.assert_quiet();
    });
}
