//! Who looks after the memory that nobody uses, of messages and of streams: one connection of the
//! process, on whichever engine.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep};
use trunkline_core::{has_spare_buffers, release_spare_buffers, sweep_spare_buffers};

use super::native;

/// What was not used for this long, or up to twice as long, is given back: long enough for a stream
/// of large messages with pauses, short enough for whoever looks at what a process holds.
const AGE: Duration = Duration::from_secs(1);

/// What is looked after.
#[derive(Debug)]
pub(super) struct Store {
    /// Somebody looks after it.
    is_watched: AtomicBool,
    /// How many could.
    watches: AtomicUsize,
    has_some: fn() -> bool,
    sweep: fn() -> bool,
    release: fn(),
}

impl Store {
    const fn new(has_some: fn() -> bool, sweep: fn() -> bool, release: fn()) -> Self {
        Self {
            is_watched: AtomicBool::new(false),
            watches: AtomicUsize::new(0),
            has_some,
            sweep,
            release,
        }
    }
}

static SPARE: Store = Store::new(
    || has_spare_buffers() || native::has_spare(),
    || {
        let kept = [sweep_spare_buffers(), native::sweep_spare()];
        kept.contains(&true)
    },
    || {
        release_spare_buffers();
        native::release_spare();
    },
);

/// A connection's part in it. The last one of the process to go releases everything.
#[derive(Debug)]
pub(super) struct SpareWatch {
    store: &'static Store,
    /// Where it is this one that looks: when it does so next.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl SpareWatch {
    pub(super) fn new() -> Self {
        Self::of(&SPARE)
    }

    fn of(store: &'static Store) -> Self {
        store.watches.fetch_add(1, Ordering::Relaxed);
        Self { store, sleep: None }
    }

    /// Looks, if it is time for it; to be called whenever the connection's task is about to sleep.
    /// Two looks where nothing is kept.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        if self.sleep.is_some() || (self.store.has_some)() {
            self.look(cx);
        }
    }

    #[cold]
    fn look(&mut self, cx: &mut Context<'_>) {
        let watched = &self.store.is_watched;
        let sleep = match &mut self.sleep {
            Some(sleep) => sleep,
            None if watched.load(Ordering::Relaxed) || watched.swap(true, Ordering::Relaxed) => {
                return;
            }
            none => none.insert(Box::pin(tokio::time::sleep(AGE))),
        };
        // Without budget the timer would not register with the waker.
        while let Poll::Ready(()) = pin!(coop::unconstrained(sleep.as_mut())).poll(cx) {
            if !(self.store.sweep)() {
                self.sleep = None;
                watched.store(false, Ordering::Relaxed);
                return;
            }
            sleep.as_mut().reset(Instant::now() + AGE);
        }
    }
}

impl Drop for SpareWatch {
    fn drop(&mut self) {
        if self.sleep.is_some() {
            // Somebody else takes over at the next turn.
            self.store.is_watched.store(false, Ordering::Relaxed);
        }
        if self.store.watches.fetch_sub(1, Ordering::Relaxed) == 1 && (self.store.has_some)() {
            (self.store.release)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    static KEPT: AtomicUsize = AtomicUsize::new(0);

    static STORE: Store = Store::new(
        || KEPT.load(Ordering::SeqCst) > 0,
        || KEPT.fetch_sub(1, Ordering::SeqCst) > 1,
        || KEPT.store(0, Ordering::SeqCst),
    );

    fn poll(watches: &mut [SpareWatch]) -> Vec<bool> {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = watches.iter_mut().map(|watch| {
            watch.poll(&mut cx);
            watch.sleep.is_some()
        });
        polled.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_looks_at_a_time_and_the_last_one_leaves_nothing() {
        let mut watches = vec![SpareWatch::of(&STORE), SpareWatch::of(&STORE)];
        assert_eq!(poll(&mut watches), [false, false], "nothing is kept");
        KEPT.store(2, Ordering::SeqCst);
        assert_eq!(poll(&mut watches), [true, false]);
        tokio::time::advance(AGE / 2).await;
        assert_eq!(poll(&mut watches), [true, false]);
        assert_eq!(KEPT.load(Ordering::SeqCst), 2);
        tokio::time::advance(AGE).await;
        assert_eq!(poll(&mut watches), [true, false]);
        assert_eq!(KEPT.load(Ordering::SeqCst), 1);
        tokio::time::advance(2 * AGE).await;
        assert_eq!(poll(&mut watches), [false, false], "nothing is left");
        assert_eq!(KEPT.load(Ordering::SeqCst), 0);

        KEPT.store(9, Ordering::SeqCst);
        assert_eq!(poll(&mut watches), [true, false]);
        drop(watches.remove(0));
        assert_eq!(poll(&mut watches), [true], "another one takes over");
        assert_eq!(KEPT.load(Ordering::SeqCst), 9);
        drop(watches);
        assert_eq!(KEPT.load(Ordering::SeqCst), 0);
    }
}
