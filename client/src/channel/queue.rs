//! Calls that wait for a free stream, in order of arrival.
//!
//! The control loop serves them, not each other: a call whose future is not polled for a while
//! does not stop the queue behind it. But once it is its turn it holds the stream that it was given
//! until it is polled again or dropped, and for that long one stream less is there for the others:
//! at a limit of one, none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use trunkline_transport::http2::{ClientConnection, Permit};

/// The right to open one stream on this connection.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) connection: ClientConnection,
    pub(crate) permit: Permit,
}

/// A queue of waiters that are given a `T` each; tests use a number.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// The number of waiters, to be read without the lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Waiting<T> {
    last: u64,
    by_arrival: BTreeMap<u64, oneshot::Sender<T>>,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        let waiting = Waiting {
            last: 0,
            by_arrival: BTreeMap::new(),
        };
        Self {
            waiting: Mutex::new(waiting),
            count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Joins at the end. Dropping the ticket leaves.
    pub(crate) fn join(&self) -> Ticket<'_, T> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.last += 1;
        let number = waiting.last;
        waiting.by_arrival.insert(number, sender);
        self.count
            .store(waiting.by_arrival.len(), Ordering::Release);
        Ticket {
            queue: self,
            number,
            receiver,
        }
    }

    /// Gives to the first in the queue, and the next, for as long as `take` has something.
    pub(crate) fn serve(&self, mut take: impl FnMut() -> Option<T>) {
        while !self.is_empty() {
            let Some(given) = take() else {
                return;
            };
            let first = {
                let mut waiting = self.lock();
                let first = waiting.by_arrival.pop_first();
                self.count
                    .store(waiting.by_arrival.len(), Ordering::Release);
                first
            };
            // One that has just left drops what it is given: it is free again for the next.
            if let Some((_, sender)) = first {
                drop(sender.send(given));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Consistent at each step, so a panic elsewhere leaves nothing broken behind.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue.
#[derive(Debug)]
pub(crate) struct Ticket<'a, T> {
    queue: &'a Queue<T>,
    number: u64,
    receiver: oneshot::Receiver<T>,
}

impl<T> Ticket<'_, T> {
    /// Waits for its turn. Cancel safe.
    pub(crate) async fn turn(&mut self) -> T {
        match (&mut self.receiver).await {
            Ok(given) => given,
            // Only a ticket that was served has no sender any more.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for Ticket<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.by_arrival.remove(&self.number);
        self.queue
            .count
            .store(waiting.by_arrival.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serves_in_order_and_skips_those_that_left() {
        let queue = Queue::new();
        let mut first = queue.join();
        let second = queue.join();
        let mut third = queue.join();
        drop(second);
        let mut numbers = 1..=2;
        queue.serve(|| numbers.next());
        assert_eq!((first.turn().await, third.turn().await), (1, 2));
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn takes_nothing_when_nobody_waits() {
        let queue = Queue::<u32>::new();
        queue.serve(|| panic!("asked"));
        let mut ticket = queue.join();
        queue.serve(|| None);
        assert!(!queue.is_empty());
        queue.serve(|| Some(7));
        assert_eq!(ticket.turn().await, 7);
    }

    #[tokio::test]
    async fn one_that_is_not_polled_holds_up_nobody_behind_it() {
        let queue = Queue::new();
        let _asleep = queue.join();
        let mut awake = queue.join();
        let mut numbers = 1..=2;
        queue.serve(|| numbers.next());
        assert_eq!(awake.turn().await, 2);
    }
}
