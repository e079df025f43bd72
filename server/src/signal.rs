//! A switch that is turned once, and tasks that wait for it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Notified, Notify};

/// Raised once, never lowered. Checking it is one atomic load; waiting registers only once.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicBool,
    notify: Notify,
}

impl Signal {
    /// Raises it and wakes everybody who waits.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// A future that is ready once the signal is raised.
    pub(crate) const fn wait(&self) -> Wait<'_> {
        Wait {
            signal: self,
            notified: None,
            waker: None,
        }
    }

    /// Runs `future` unless, or until, the signal is raised: then `None`, and it is dropped.
    pub(crate) async fn unless<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let mut wait = std::pin::pin!(self.wait());
        std::future::poll_fn(|cx| {
            if wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Ready(Some(ready!(future.as_mut().poll(cx))))
        })
        .await
    }
}

pin_project! {
    /// Waits for a [`Signal`].
    ///
    /// Tasks poll it at each of their wakes, so it takes the waiters' lock only at the first one
    /// and when the waker has changed; after that a poll is one atomic load.
    #[derive(Debug)]
    pub(crate) struct Wait<'a> {
        signal: &'a Signal,
        #[pin]
        notified: Option<Notified<'a>>,
        waker: Option<Waker>,
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.signal.is_raised() {
            return Poll::Ready(());
        }
        if this
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        // Created before the flag is read again: a raise in between wakes us or is seen below.
        this.notified.set(Some(this.signal.notify.notified()));
        if let Some(notified) = this.notified.as_mut().as_pin_mut()
            && notified.poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        *this.waker = Some(cx.waker().clone());
        if this.signal.is_raised() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Signal;

    #[tokio::test]
    async fn every_waiter_is_woken_and_later_ones_do_not_wait() {
        let signal = Arc::new(Signal::default());
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let signal = Arc::clone(&signal);
                tokio::spawn(async move { signal.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        signal.raise();
        for task in waiting {
            task.await.unwrap();
        }
        signal.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn unless_drops_the_future_when_raised() {
        let signal = Arc::new(Signal::default());
        let raiser = Arc::clone(&signal);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            raiser.raise();
        });
        assert_eq!(signal.unless(std::future::ready(7)).await, Some(7));
        assert_eq!(signal.unless(std::future::pending::<()>()).await, None);
        assert_eq!(signal.unless(std::future::ready(7)).await, None);
    }
}
