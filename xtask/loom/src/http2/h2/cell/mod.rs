//! A stream cell that counts messages instead of handing them to h2, on the product's signal.

#[path = "../../../../../../transport/src/http2/h2/cell/signal.rs"]
#[allow(
    dead_code,
    reason = "a cell of the transport, of which the models use a part"
)]
mod signal;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::link::Link;
use crate::sync::Mutex;

pub(crate) use signal::Signal;

/// Does to its signal what the product's does, in the same order, under the same locks.
#[derive(Debug)]
pub(crate) struct StreamCell {
    state: Mutex<State>,
    h2: Arc<H2>,
    /// Messages that were handed over, and turns of the driver: for the model's eyes, so not loom's.
    pub(crate) handed: AtomicUsize,
    pub(crate) turns: AtomicUsize,
}

#[derive(Debug)]
struct State {
    signal: Arc<Signal>,
    waiting: usize,
}

impl StreamCell {
    pub(crate) fn new(h2: &Arc<H2>, link: &Arc<Link>) -> Arc<Self> {
        Arc::new_cyclic(|cell| Self {
            state: Mutex::new(State {
                signal: Signal::new(cell, Arc::clone(link)),
                waiting: 0,
            }),
            h2: Arc::clone(h2),
            handed: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
        })
    }

    pub(crate) fn push(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        state.signal.queue();
    }

    /// A sender that waits until all is handed over.
    pub(crate) fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.waiting == 0 {
            return Poll::Ready(());
        }
        self.flush(&mut state);
        if state.waiting == 0 {
            return Poll::Ready(());
        }
        state.signal.set_sender(cx.waker());
        Poll::Pending
    }

    pub(crate) fn drive(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        let before = state.waiting;
        self.flush(&mut state);
        if state.waiting < before {
            state.signal.wake_sender();
        }
    }

    fn flush(&self, state: &mut State) {
        if state.waiting == 0 {
            return;
        }
        while !self.h2.has_window() {
            state.signal.set_blocked(true);
            if self.h2.poll_window(&state.signal.waker()).is_pending() {
                return;
            }
        }
        state.signal.set_blocked(false);
        self.handed.fetch_add(state.waiting, Ordering::Relaxed);
        state.waiting = 0;
    }

    /// Who holds the signal beside the cell.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.state.lock().signal) - 1
    }
}

/// h2's side of one stream: its lock, its window, and the one waker that it keeps.
#[derive(Debug, Default)]
pub(crate) struct H2(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    is_open: bool,
    waker: Option<Waker>,
}

impl H2 {
    pub(crate) fn open() -> Arc<Self> {
        let h2 = Arc::<Self>::default();
        h2.0.lock().is_open = true;
        h2
    }

    fn has_window(&self) -> bool {
        self.0.lock().is_open
    }

    fn poll_window(&self, waker: &Waker) -> Poll<()> {
        let mut window = self.0.lock();
        if window.is_open {
            return Poll::Ready(());
        }
        window.waker = Some(waker.clone());
        Poll::Pending
    }

    /// The peer's WINDOW_UPDATE has come: wakes under the lock, as h2 does.
    pub(crate) fn window_update(&self) {
        let mut window = self.0.lock();
        window.is_open = true;
        if let Some(waker) = window.waker.take() {
            waker.wake();
        }
    }
}

/// The handles of a stream that ends with its connection: a token, whose holders can be counted.
#[derive(Debug)]
pub(crate) struct Unsaid(#[expect(dead_code, reason = "held")] pub(crate) Arc<()>);
