//! tokio's `Notify` by its contract, on loom's lock.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// Wakes one waiter, or the next one if there is none; or all that there are.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// For the next one that waits.
    permit: bool,
    /// How often all were notified.
    calls: u64,
    last: u64,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    waker: Option<Waker>,
    /// By `notify_one`.
    is_notified: bool,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        let waker = self.0.lock().notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn notify_waiters(&self) {
        let waiters = {
            let mut state = self.0.lock();
            state.calls += 1;
            std::mem::take(&mut state.waiters)
        };
        for waker in waiters.into_iter().filter_map(|waiter| waiter.waker) {
            waker.wake();
        }
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            calls: self.0.lock().calls,
            number: None,
            is_done: false,
        }
    }
}

impl State {
    /// Whoever is to be woken.
    fn notify_one(&mut self) -> Option<Waker> {
        let first = self.waiters.iter_mut().find(|each| !each.is_notified);
        let Some(waiter) = first else {
            self.permit = true;
            return None;
        };
        waiter.is_notified = true;
        waiter.waker.take()
    }
}

/// Waits for a notification.
#[derive(Debug)]
pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    calls: u64,
    number: Option<u64>,
    is_done: bool,
}

impl Notified<'_> {
    /// Registers without a waker; true if it is notified already.
    pub(crate) fn enable(self: Pin<&mut Self>) -> bool {
        self.get_mut().look(None)
    }

    fn look(&mut self, waker: Option<&Waker>) -> bool {
        let mut state = self.notify.0.lock();
        self.is_done |= state.calls != self.calls;
        if self.is_done {
            return true;
        }
        if let Some(number) = self.number {
            let place = state.waiters.iter().position(|each| each.number == number);
            match place.and_then(|place| Some((place, state.waiters.get_mut(place)?))) {
                Some((_, waiter)) if !waiter.is_notified => {
                    waiter.waker = waker.cloned().or_else(|| waiter.waker.take());
                    return false;
                }
                Some((place, _)) => {
                    state.waiters.remove(place);
                }
                None => {}
            }
            self.is_done = true;
            return true;
        }
        if std::mem::take(&mut state.permit) {
            self.is_done = true;
            return true;
        }
        state.last += 1;
        let number = state.last;
        self.number = Some(number);
        state.waiters.push(Waiter {
            number,
            waker: waker.cloned(),
            is_notified: false,
        });
        false
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.look(Some(cx.waker())) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Notified<'_> {
    /// What `notify_one` gave to one that never looked goes to the next.
    fn drop(&mut self) {
        let (false, Some(number)) = (self.is_done, self.number) else {
            return;
        };
        let waker = {
            let mut state = self.notify.0.lock();
            let place = state.waiters.iter().position(|each| each.number == number);
            let was = place.map(|place| state.waiters.remove(place));
            let given = was.is_some_and(|waiter| waiter.is_notified);
            if given { state.notify_one() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
