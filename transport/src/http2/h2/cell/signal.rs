//! The waker of a stream cell, which fans out to all who wait.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::StreamCell;
use crate::http2::h2::link::Link;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// The cell's waker.
#[derive(Debug)]
pub(crate) struct Signal {
    wakers: Mutex<Wakers>,
    /// Messages wait in the cell for window: the next wake-up is the driver's to act on.
    blocked: AtomicBool,
    /// Already in the driver's queue.
    queued: AtomicBool,
    link: Arc<Link>,
    cell: Weak<StreamCell>,
    /// Itself, to be queued.
    this: Weak<Self>,
}

#[derive(Debug, Default)]
struct Wakers {
    sender: Option<Waker>,
    receiver: Option<Waker>,
    runner: Option<Waker>,
}

impl Signal {
    pub(super) fn new(cell: &Weak<StreamCell>, link: Arc<Link>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            wakers: Mutex::default(),
            blocked: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            link,
            cell: Weak::clone(cell),
            this: Weak::clone(this),
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Messages wait for window, or no longer.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Release);
    }

    /// Who is woken when the sender may go on.
    pub(super) fn set_sender(&self, waker: &Waker) {
        self.wakers.lock().sender = Some(waker.clone());
    }

    /// Who is woken when this side ends the RPC.
    pub(super) fn set_receiver(&self, waker: &Waker) {
        self.wakers.lock().receiver = Some(waker.clone());
    }

    /// Who is woken when the client resets the stream.
    pub(super) fn set_runner(&self, waker: &Waker) {
        self.wakers.lock().runner = Some(waker.clone());
    }

    /// What h2 is given to wake.
    pub(super) fn waker(&self) -> Waker {
        match self.this.upgrade() {
            Some(this) => Waker::from(this),
            None => Waker::noop().clone(),
        }
    }

    /// Queues the stream for its driver, unless it is queued already.
    pub(super) fn queue(&self) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Some(this) = self.this.upgrade()
        {
            self.link.mark_dirty(this);
        }
    }

    /// The driver's turn for this stream, outside of h2's lock.
    pub(in crate::http2::h2) fn drive(&self) {
        self.queued.store(false, Ordering::Release);
        if let Some(cell) = self.cell.upgrade() {
            cell.drive();
        }
    }

    pub(super) fn wake_sender(&self) {
        let sender = self.wakers.lock().sender.take();
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    pub(super) fn wake_all(&self) {
        let Wakers {
            sender,
            receiver,
            runner,
        } = std::mem::take(&mut *self.wakers.lock());
        for waker in [sender, receiver, runner].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Called by h2 under its lock.
    fn wake_by_ref(self: &Arc<Self>) {
        if self.blocked.swap(false, Ordering::AcqRel) {
            self.queue();
        }
        self.wake_all();
    }
}
