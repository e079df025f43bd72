//! The way from the tasks of RPCs to the driver of their connection, and what became of that.
//!
//! One lock per connection, held for a few dozen instructions. It covers what waits for the driver
//! and whether the driver sleeps, so that a post and a driver that is about to sleep cannot miss
//! each other: what was posted is seen before it sleeps, or whoever posts wakes it. While it runs
//! nobody wakes it, so a batch of posts costs one wake-up.
//!
//! It may be taken with a cell's lock held, never the other way round. Wakers are called after both
//! are released.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use trunkline_core::Status;

use super::cell::StreamCell;
use super::connection::Start;
use crate::Peer;
use crate::http2::Permit;
use crate::stream::Compression;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, OnceLock};

/// Bytes that readers take of a stream before they say so.
const RELEASE_AT: u32 = 32 * 1024;

/// One per connection, shared by its driver, its streams, and those who call over it.
#[derive(Debug)]
pub(super) struct Link {
    peer: Peer,
    /// Client: what answers are decompressed with.
    compression: Option<Compression>,
    release_at: u32,
    mailbox: Mutex<Mailbox>,
    draining: OnceLock<Status>,
    cause: OnceLock<Status>,
    down: Notify,
    /// What the peer's GOAWAY said.
    goodbye: OnceLock<String>,
    /// The peer has closed the connection because keepalive sent PINGs.
    pings_too_often: AtomicBool,
    /// The peer has said GOAWAY NO_ERROR.
    said_goodbye: AtomicBool,
    /// Server: memory is short.
    is_sparing: AtomicBool,
}

#[derive(Debug, Default)]
struct Mailbox {
    mail: Mail,
    /// The driver's, kept while it stays the same.
    waker: Option<Waker>,
    /// The driver sleeps, and whoever posts has to wake it.
    is_parked: bool,
    /// Something in it does not wait for more of its kind.
    is_urgent: bool,
    /// No driver will come any more.
    is_closed: bool,
}

/// What waits for the driver.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Client: calls to be opened, in their order.
    pub(super) starts: Vec<Opening>,
    /// Streams whose tasks want something, each once.
    pub(super) streams: Vec<Arc<StreamCell>>,
    /// Client: nobody will open anything more.
    pub(super) let_go: bool,
    /// Client: the connection shall end now.
    pub(super) abort: Option<Status>,
    /// Server: memory is short, and this connection holds most.
    pub(super) shed: bool,
}

/// A call that is to be opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) cell: Arc<StreamCell>,
    pub(super) permit: Permit,
    pub(super) start: Start,
    /// Somebody waits for the way of what it sends.
    pub(super) has_sender: bool,
    /// When whoever reads the answer is to be woken.
    pub(super) deadline: Option<Instant>,
}

impl Mail {
    /// What nothing lies in is given back.
    pub(super) fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.streams.shrink_to_fit();
    }

    const fn is_empty(&self) -> bool {
        let nothing_else = !self.let_go && !self.shed && self.abort.is_none();
        self.starts.is_empty() && self.streams.is_empty() && nothing_else
    }
}

impl Mailbox {
    /// Whom to wake for what was just put in.
    fn wake(&mut self, is_urgent: bool) -> Option<Waker> {
        self.is_urgent |= is_urgent;
        if !self.is_parked {
            return None;
        }
        self.is_parked = false;
        self.waker.take()
    }
}

impl Link {
    pub(super) fn new(
        peer: Peer,
        stream_window: u32,
        compression: Option<Compression>,
    ) -> Arc<Self> {
        // A quarter of the window at the latest, so that the peer never stands still.
        Arc::new(Self {
            peer,
            compression,
            release_at: RELEASE_AT.min(stream_window / 4),
            mailbox: Mutex::default(),
            draining: OnceLock::new(),
            cause: OnceLock::new(),
            down: Notify::new(),
            goodbye: OnceLock::new(),
            pings_too_often: AtomicBool::new(false),
            said_goodbye: AtomicBool::new(false),
            is_sparing: AtomicBool::new(false),
        })
    }

    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) const fn compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// Bytes taken of a stream that are worth an order.
    pub(super) const fn release_at(&self) -> u32 {
        self.release_at
    }

    /// Queues a stream for the driver; to be woken after all locks are released. Where no driver
    /// will come nothing is kept. One that is not urgent may lie there for a moment, in which more
    /// comes.
    pub(super) fn post(&self, cell: &Arc<StreamCell>, is_urgent: bool) -> Option<Waker> {
        let mut mailbox = self.mailbox.lock();
        if mailbox.is_closed {
            return None;
        }
        mailbox.mail.streams.push(Arc::clone(cell));
        mailbox.wake(is_urgent)
    }

    /// What lies there already does not wait any more. Its driver is awake: it was woken for that.
    pub(super) fn hurry(&self) {
        self.mailbox.lock().is_urgent = true;
    }

    /// Queues a call; gives it back where no driver will come.
    pub(super) fn start(&self, opening: Opening) -> Result<Option<Waker>, Box<Opening>> {
        let mut mailbox = self.mailbox.lock();
        if mailbox.is_closed || mailbox.mail.let_go || self.draining.get().is_some() {
            drop(mailbox);
            return Err(Box::new(opening));
        }
        mailbox.mail.starts.push(opening);
        Ok(mailbox.wake(true))
    }

    /// Nobody opens anything more: the connection ends with the last stream.
    pub(super) fn let_go(&self) {
        self.wish(|mail| mail.let_go = true);
    }

    /// The connection shall end now, for this reason.
    pub(super) fn abort(&self, why: Status) {
        self.drain(why.clone());
        self.wish(|mail| {
            mail.abort.get_or_insert(why);
        });
    }

    /// Memory is short, and this connection holds most.
    pub(super) fn shed(&self) {
        self.wish(|mail| mail.shed = true);
    }

    /// Server: memory is short, or not any more: senders wait until nothing of theirs waits.
    pub(super) fn set_sparing(&self, is_sparing: bool) {
        self.is_sparing.store(is_sparing, Ordering::Relaxed);
    }

    /// A stream that may send as long as fewer bytes than this wait: below how many it really may.
    #[inline]
    pub(super) fn may_wait_below(&self, bytes: usize) -> usize {
        if self.is_sparing.load(Ordering::Relaxed) {
            return bytes.min(1);
        }
        bytes
    }

    fn wish(&self, put: impl FnOnce(&mut Mail)) {
        let mut mailbox = self.mailbox.lock();
        put(&mut mailbox.mail);
        let waker = mailbox.wake(true);
        drop(mailbox);
        wake(waker);
    }

    /// How many streams wait for the driver.
    pub(super) fn waiting(&self) -> usize {
        self.mailbox.lock().mail.streams.len()
    }

    /// The driver's turn: takes what waits. `mail` is empty and keeps its room. Nobody wakes the
    /// driver from now on.
    pub(super) fn take(&self, mail: &mut Mail) {
        self.take_in_time(mail, false);
    }

    /// The same, but if it `may_wait` nothing is taken, and the answer is false, while there is
    /// mail of which none is urgent. The driver is to look again by itself.
    pub(super) fn take_in_time(&self, mail: &mut Mail, may_wait: bool) -> bool {
        let mut mailbox = self.mailbox.lock();
        mailbox.is_parked = false;
        if may_wait && !mailbox.is_urgent && !mailbox.mail.is_empty() {
            return false;
        }
        mailbox.is_urgent = false;
        std::mem::swap(&mut mailbox.mail, mail);
        true
    }

    /// The driver goes to sleep; false where mail waits for it.
    pub(super) fn park(&self, waker: &Waker) -> bool {
        let mut mailbox = self.mailbox.lock();
        if !mailbox.mail.is_empty() {
            return false;
        }
        let known = |old: &Waker| old.will_wake(waker);
        let old = if mailbox.waker.as_ref().is_some_and(known) {
            None
        } else {
            mailbox.waker.replace(waker.clone())
        };
        mailbox.is_parked = true;
        drop(mailbox);
        drop(old);
        true
    }

    /// The driver is about to end, and looks at no mail any more: it is woken if it is to let go of
    /// what it holds.
    pub(super) fn park_for_shed(&self, waker: &Waker) {
        let mut mailbox = self.mailbox.lock();
        let old = mailbox.waker.replace(waker.clone());
        mailbox.is_parked = true;
        drop(mailbox);
        drop(old);
    }

    /// The room that a burst of posts has taken is given back.
    pub(super) fn shrink(&self) {
        self.mailbox.lock().mail.shrink();
    }

    /// No new stream may be opened, for this reason; open ones go on.
    pub(super) fn drain(&self, why: Status) {
        if self.draining.set(why).is_ok() {
            self.down.notify_waiters();
        }
    }

    /// The connection is gone, for this reason: the first one stays. Gives what nobody will look at
    /// any more.
    pub(super) fn close(&self, why: Status) -> Mail {
        let is_first = self.cause.set(why).is_ok();
        let mut mailbox = self.mailbox.lock();
        mailbox.is_closed = true;
        mailbox.is_parked = false;
        let waker = mailbox.waker.take();
        let mail = std::mem::take(&mut mailbox.mail);
        drop(mailbox);
        drop(waker);
        if is_first {
            self.down.notify_waiters();
        }
        mail
    }

    /// Why the connection is gone; `None` while it lives.
    pub(super) fn cause(&self) -> Option<&Status> {
        self.cause.get()
    }

    /// Waits until the connection is gone and says why.
    pub(super) async fn ended(&self) -> Status {
        loop {
            let notified = self.down.notified();
            if let Some(why) = self.cause() {
                return why.clone();
            }
            notified.await;
        }
    }

    /// Waits until no new stream can be opened and says why.
    pub(super) async fn down(&self) -> Status {
        loop {
            let notified = self.down.notified();
            if let Some(why) = self.refusal() {
                return why.clone();
            }
            notified.await;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.refusal().is_none()
    }

    /// Why no stream can be opened any more.
    pub(super) fn refusal(&self) -> Option<&Status> {
        self.cause.get().or_else(|| self.draining.get())
    }

    /// What the peer's GOAWAY said, for the statuses of what it left out.
    pub(super) fn set_goodbye(&self, text: String) {
        let _ = self.goodbye.set(text);
    }

    pub(super) fn has_goodbye(&self) -> bool {
        self.goodbye.get().is_some()
    }

    pub(super) fn goodbye(&self) -> &str {
        self.goodbye.get().map_or("GOAWAY", String::as_str)
    }

    /// The peer said that it had too many PINGs.
    pub(super) fn set_pings_too_often(&self) {
        self.pings_too_often.store(true, Ordering::Release);
    }

    /// Whether the peer closed because of our PINGs, as far as can be told.
    pub(super) fn pings_too_often(&self) -> bool {
        self.pings_too_often.load(Ordering::Acquire)
    }

    /// The peer said GOAWAY NO_ERROR.
    pub(super) fn set_said_goodbye(&self) {
        self.said_goodbye.store(true, Ordering::Release);
    }

    pub(super) fn said_goodbye(&self) -> bool {
        self.said_goodbye.load(Ordering::Acquire)
    }
}

/// Wakes whoever is to be woken, with no lock held.
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
