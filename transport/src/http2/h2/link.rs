//! What the tasks of a connection's streams and its driver share.

use std::sync::Arc;
use std::task::Waker;

use trunkline_core::Status;

use super::cell::{Signal, Unsaid};
use super::gauge::{Count, Gauge};
use super::rest::Readers;
use crate::Peer;
use crate::http2::slots::Permit;
use crate::stream::Compression;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, OnceLock};

/// Consumed bytes that are worth a WINDOW_UPDATE.
const RELEASE_AT: u32 = 32 * 1024;

/// One per connection: the way from a stream to its driver, and what became of the connection.
///
/// It may be touched and dropped while h2 holds its own lock: what it keeps of h2's to the end is
/// let go of by [`close`](Self::close), which whoever drives the connection calls.
#[derive(Debug)]
pub(crate) struct Link {
    peer: Peer,
    /// Client: what answers are decompressed with.
    compression: Option<Compression>,
    /// Bytes of a stream that may be consumed before its window is opened again.
    release_at: u32,
    /// What streams take, for the window policy.
    gauge: Gauge,
    driver: Mutex<Option<Waker>>,
    dirty: Mutex<Vec<Arc<Signal>>>,
    retired: Mutex<Vec<Permit>>,
    /// Server: streams whose clients learn from the connection's end.
    unsaid: Mutex<Vec<Unsaid>>,
    readers: Arc<Readers>,
    draining: OnceLock<Status>,
    cause: OnceLock<Status>,
    down: Notify,
    /// Why the driver is to end the connection now.
    abort: OnceLock<Status>,
    /// Keepalive has sent a PING.
    pinged: AtomicBool,
    /// The peer has closed the connection with GOAWAY ENHANCE_YOUR_CALM.
    too_much: AtomicBool,
    /// The peer has said GOAWAY NO_ERROR.
    goodbye: AtomicBool,
}

impl Link {
    pub(super) fn new(
        peer: Peer,
        stream_window: u32,
        compression: Option<Compression>,
    ) -> Arc<Self> {
        // A quarter of the window at the latest, so that the peer never stands still; and not
        // for every small message, because it takes h2's lock.
        Arc::new(Self {
            peer,
            compression,
            release_at: RELEASE_AT.min(stream_window / 4),
            gauge: Gauge::default(),
            driver: Mutex::new(None),
            dirty: Mutex::new(Vec::new()),
            retired: Mutex::new(Vec::new()),
            unsaid: Mutex::new(Vec::new()),
            readers: Arc::default(),
            draining: OnceLock::new(),
            cause: OnceLock::new(),
            down: Notify::new(),
            abort: OnceLock::new(),
            pinged: AtomicBool::new(false),
            too_much: AtomicBool::new(false),
            goodbye: AtomicBool::new(false),
        })
    }

    pub(super) const fn release_at(&self) -> u32 {
        self.release_at
    }

    pub(super) const fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// A stream's reader has given so many bytes of window back.
    pub(super) fn took(&self, count: &mut Count, bytes: u32) {
        if self.gauge.took(count, bytes) {
            self.wake_driver();
        }
    }

    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) const fn compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// Remembers the driver, so that [`mark_dirty`](Self::mark_dirty) can wake it.
    pub(super) fn set_driver(&self, waker: &Waker) {
        let mut driver = self.driver.lock();
        if !driver.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    /// Queues a stream whose messages the driver shall hand to h2; the first one wakes it.
    ///
    /// Messages that are sent until the driver runs become one DATA frame: that is how they are
    /// merged when there are many and prompt when there are few.
    pub(super) fn mark_dirty(&self, signal: Arc<Signal>) {
        let first = {
            let mut dirty = self.dirty.lock();
            dirty.push(signal);
            dirty.len() == 1
        };
        if self.cause().is_some() {
            // No driver will come, and what waits for one holds this link.
            self.forget_dirty();
        } else if first {
            self.wake_driver();
        }
    }

    fn forget_dirty(&self) {
        let dirty = std::mem::take(&mut *self.dirty.lock());
        drop(dirty);
    }

    /// Those who read what the connection brings.
    pub(super) const fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    fn wake_driver(&self) {
        let driver = self.driver.lock().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Gives a stream's permit back once the driver has written what ends the stream.
    ///
    /// Until then the stream counts, for h2 and for the peer: a new one opened in its place would
    /// wait inside h2, where a cancelled call cannot be taken back.
    pub(super) fn retire(&self, permit: Permit) {
        let first = {
            let mut retired = self.retired.lock();
            retired.push(permit);
            retired.len() == 1
        };
        if self.cause().is_some() {
            // No driver will come.
            self.take_retired(&mut Vec::new());
        } else if first {
            self.wake_driver();
        }
    }

    /// Takes the permits of streams whose end is about to be written.
    pub(super) fn take_retired(&self, into: &mut Vec<Permit>) {
        into.append(&mut self.retired.lock());
    }

    /// The driver's turn: hands the messages of the queued streams to h2. `queue` is scratch.
    pub(super) fn drive_streams(&self, queue: &mut Vec<Arc<Signal>>) {
        std::mem::swap(&mut *self.dirty.lock(), queue);
        for signal in queue.drain(..) {
            signal.drive();
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.lock().is_empty()
    }

    /// No new stream may be opened, for this reason; open ones go on.
    pub(super) fn drain(&self, why: Status) {
        if self.draining.set(why).is_ok() {
            self.down.notify_waiters();
        }
    }

    /// The connection is gone, for this reason. The first reason stays.
    pub(super) fn close(&self, why: Status) {
        if self.cause.set(why).is_ok() {
            self.down.notify_waiters();
            self.take_retired(&mut Vec::new());
            self.forget_dirty();
            self.forget_unsaid();
        }
    }

    /// Keeps these handles until the connection is closed.
    pub(super) fn keep_to_the_end(&self, stream: Unsaid) {
        self.unsaid.lock().push(stream);
        if self.cause().is_some() {
            self.forget_unsaid();
        }
    }

    fn forget_unsaid(&self) {
        let unsaid = std::mem::take(&mut *self.unsaid.lock());
        drop(unsaid);
    }

    /// Tells the driver to end the connection, for this reason.
    pub(super) fn abort(&self, why: Status) {
        self.drain(why.clone());
        if self.abort.set(why).is_ok() {
            self.wake_driver();
        }
    }

    /// Why the driver is to end the connection, if it is.
    pub(super) fn aborted(&self) -> Option<&Status> {
        self.abort.get()
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

    /// Why the connection is gone; `None` while it lives.
    pub(super) fn cause(&self) -> Option<&Status> {
        self.cause.get()
    }

    /// Keepalive has sent a PING.
    pub(super) fn set_pinged(&self) {
        self.pinged.store(true, Ordering::Release);
    }

    /// The peer said GOAWAY ENHANCE_YOUR_CALM.
    pub(super) fn set_too_much(&self) {
        self.too_much.store(true, Ordering::Release);
    }

    /// Whether the peer closed because of our PINGs, as far as can be told.
    pub(super) fn pings_too_often(&self) -> bool {
        self.pinged.load(Ordering::Acquire) && self.too_much.load(Ordering::Acquire)
    }

    /// The peer said GOAWAY NO_ERROR.
    pub(super) fn set_goodbye(&self) {
        self.goodbye.store(true, Ordering::Release);
    }

    /// Whether the peer said goodbye, as far as anybody has noticed.
    pub(super) fn said_goodbye(&self) -> bool {
        self.goodbye.load(Ordering::Acquire)
    }

    pub(super) fn is_open(&self) -> bool {
        self.draining.get().is_none() && self.cause.get().is_none()
    }

    /// Waits until no new stream can be opened and says why.
    pub(super) async fn down(&self) -> Status {
        loop {
            let notified = self.down.notified();
            if let Some(why) = self.cause.get().or_else(|| self.draining.get()) {
                return why.clone();
            }
            notified.await;
        }
    }
}
