//! Calls that wait for a free stream, in order of arrival.
//!
//! 1. The control loop serves them, not each other: a call whose future is not polled for a while
//!    does not stop the queue behind it.
//! 2. Whose turn it is holds the stream that it was given until it is polled or dropped. If it has
//!    not come for it after [`PATIENCE`] and others wait, it is *passed over*: the stream goes to
//!    the next, and the call keeps its place but is given nothing.
//! 3. When it is polled after all, it is the first that is served.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// How long a call may leave the stream that it was given while others wait: many times as long as
/// a task that is woken takes to run.
const PATIENCE: Duration = Duration::from_millis(100);

/// A queue of waiters that are given a `T` each; tests use a number.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Waiters that may be given something, to be read without the lock.
    count: AtomicUsize,
    /// Waiters that were, and have not come for it.
    given: AtomicUsize,
}

#[derive(Debug)]
struct Waiting<T> {
    last: u64,
    by_arrival: BTreeMap<u64, Place<T>>,
}

#[derive(Debug)]
struct Place<T> {
    turn: Turn<T>,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Turn<T> {
    Waits,
    Given(T, Instant),
    PassedOver,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting {
            last: 0,
            by_arrival: BTreeMap::new(),
        };
        Self {
            waiting: Mutex::new(waiting),
            count: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waiters that may be given something.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Joins at the end. Dropping the ticket leaves.
    pub(crate) fn join(&self) -> Ticket<'_, T> {
        let mut waiting = self.waiting.lock();
        waiting.last += 1;
        let number = waiting.last;
        let place = Place {
            turn: Turn::Waits,
            waker: None,
        };
        waiting.by_arrival.insert(number, place);
        self.count.fetch_add(1, Ordering::AcqRel);
        Ticket {
            queue: self,
            number,
        }
    }

    /// Gives to the first in the queue, and the next, for as long as `take` has something.
    pub(crate) fn serve(&self, now: impl Fn() -> Instant, mut take: impl FnMut() -> Option<T>) {
        while !self.is_empty() {
            let Some(given) = take() else {
                return;
            };
            let waker = {
                let mut waiting = self.waiting.lock();
                let mut places = waiting.by_arrival.values_mut();
                match places.find(|place| matches!(place.turn, Turn::Waits)) {
                    Some(place) => {
                        place.turn = Turn::Given(given, now());
                        self.count.fetch_sub(1, Ordering::AcqRel);
                        self.given.fetch_add(1, Ordering::AcqRel);
                        place.waker.take()
                    }
                    None => {
                        // The last one has just left: what it would have got is free again.
                        drop(waiting);
                        drop(given);
                        return;
                    }
                }
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// When a stream that was given may be taken back for those that wait; `None` if nobody does.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        if self.is_empty() || self.given.load(Ordering::Acquire) == 0 {
            return None;
        }
        let waiting = self.waiting.lock();
        let given = waiting
            .by_arrival
            .values()
            .filter_map(|place| place.given());
        given.min().map(|at| at + PATIENCE)
    }

    /// Takes back what nobody came for, while others wait.
    pub(crate) fn take_back(&self, now: Instant) {
        if self.wake_at().is_none_or(|at| now < at) {
            return;
        }
        let mut back = Vec::new();
        {
            let mut waiting = self.waiting.lock();
            for place in waiting.by_arrival.values_mut() {
                if place.given().is_some_and(|at| now >= at + PATIENCE)
                    && let Turn::Given(given, _) =
                        std::mem::replace(&mut place.turn, Turn::PassedOver)
                {
                    self.given.fetch_sub(1, Ordering::AcqRel);
                    back.push(given);
                }
            }
        }
        // Outside of the lock: a permit that comes back wakes those that wait for one.
        drop(back);
    }
}

impl<T> Place<T> {
    const fn given(&self) -> Option<Instant> {
        match &self.turn {
            Turn::Given(_, at) => Some(*at),
            Turn::Waits | Turn::PassedOver => None,
        }
    }
}

/// A place in the queue.
#[derive(Debug)]
pub(crate) struct Ticket<'a, T> {
    queue: &'a Queue<T>,
    number: u64,
}

impl<T> Ticket<'_, T> {
    /// Ready when it is its turn. One that was passed over takes part again, which `back` is told.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>, back: impl FnOnce()) -> Poll<T> {
        let mut waiting = self.queue.waiting.lock();
        let Some(place) = waiting.by_arrival.get_mut(&self.number) else {
            // It had its turn.
            return Poll::Pending;
        };
        let was_passed_over = match std::mem::replace(&mut place.turn, Turn::Waits) {
            Turn::Given(given, _) => {
                waiting.by_arrival.remove(&self.number);
                self.queue.given.fetch_sub(1, Ordering::AcqRel);
                return Poll::Ready(given);
            }
            Turn::PassedOver => true,
            Turn::Waits => false,
        };
        place.waker = Some(cx.waker().clone());
        if was_passed_over {
            self.queue.count.fetch_add(1, Ordering::AcqRel);
            drop(waiting);
            back();
        }
        Poll::Pending
    }
}

impl<T> Drop for Ticket<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.lock();
        let place = waiting.by_arrival.remove(&self.number);
        // Under the lock, like the place: whoever serves the queue would look for it until then.
        match place.as_ref().map(|place| &place.turn) {
            Some(Turn::Waits) => {
                self.queue.count.fetch_sub(1, Ordering::AcqRel);
            }
            Some(Turn::Given(..)) => {
                self.queue.given.fetch_sub(1, Ordering::AcqRel);
            }
            Some(Turn::PassedOver) | None => {}
        }
        // What it was given comes back outside of it, which wakes those that wait.
        drop(waiting);
        drop(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(queue: &Queue<u32>, now: Instant, numbers: impl IntoIterator<Item = u32>) {
        let mut numbers = numbers.into_iter();
        queue.serve(|| now, || numbers.next());
    }

    fn poll(ticket: &mut Ticket<'_, u32>) -> Option<u32> {
        let mut cx = Context::from_waker(Waker::noop());
        match ticket.poll_turn(&mut cx, || ()) {
            Poll::Ready(given) => Some(given),
            Poll::Pending => None,
        }
    }

    #[test]
    fn serves_in_order_and_skips_those_that_left() {
        let (queue, now) = (Queue::new(), Instant::now());
        let mut first = queue.join();
        let second = queue.join();
        let mut third = queue.join();
        assert_eq!(queue.len(), 3);
        drop(second);
        serve(&queue, now, 1..=2);
        assert_eq!((poll(&mut first), poll(&mut third)), (Some(1), Some(2)));
        assert!(queue.is_empty());
        assert_eq!(queue.wake_at(), None);
    }

    #[test]
    fn takes_nothing_when_nobody_waits() {
        let (queue, now) = (Queue::<u32>::new(), Instant::now());
        queue.serve(|| now, || panic!("asked"));
        let mut ticket = queue.join();
        serve(&queue, now, []);
        assert!(!queue.is_empty());
        assert_eq!(poll(&mut ticket), None);
        serve(&queue, now, [7]);
        assert_eq!(poll(&mut ticket), Some(7));
    }

    #[test]
    fn one_that_is_not_polled_holds_up_nobody_behind_it() {
        let (queue, now) = (Queue::new(), Instant::now());
        let _asleep = queue.join();
        let mut awake = queue.join();
        serve(&queue, now, 1..=2);
        assert_eq!(poll(&mut awake), Some(2));
    }

    #[test]
    fn what_nobody_comes_for_goes_to_the_next_and_the_place_is_kept() {
        let (queue, t0) = (Queue::new(), Instant::now());
        let mut asleep = queue.join();
        serve(&queue, t0, [1]);
        assert_eq!(queue.wake_at(), None, "nobody else wants it");
        let mut second = queue.join();
        let third = queue.join();
        let late = t0 + PATIENCE;
        assert_eq!(queue.wake_at(), Some(late));
        queue.take_back(t0 + PATIENCE / 2);
        assert_eq!(queue.wake_at(), Some(late), "not yet");
        queue.take_back(late);
        serve(&queue, late, [2]);
        assert_eq!(poll(&mut second), Some(2));
        assert_eq!(queue.len(), 1, "only the third may be given something");
        assert_eq!(poll(&mut asleep), None);
        assert_eq!(queue.len(), 2, "it takes part again");
        serve(&queue, late, [3]);
        assert_eq!(poll(&mut asleep), Some(3), "before the third");
        drop(third);
        assert!(queue.is_empty() && queue.waiting.lock().by_arrival.is_empty());
    }

    #[test]
    fn one_that_was_passed_over_may_leave() {
        let (queue, t0) = (Queue::new(), Instant::now());
        let asleep = queue.join();
        serve(&queue, t0, [1]);
        let other = queue.join();
        queue.take_back(t0 + PATIENCE);
        drop(asleep);
        assert_eq!(queue.len(), 1);
        drop(other);
        assert!(queue.is_empty() && queue.waiting.lock().by_arrival.is_empty());
    }
}
