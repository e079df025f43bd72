//! What the control loop publishes and calls read: immutable, swapped whole.
//!
//! Calls write nothing upward but a counter, their place in a queue, and a wake-up. The first two are
//! levels, not events, so a wake-up that comes late or twice does no harm.

use std::sync::Arc;
use std::time::Instant;

use trunkline_core::{Stage, Status};
use trunkline_transport::http2::{ClientConnection, Permit};

use super::builder::Config;
use super::close::CloseReport;
use super::control::Control;
use super::queue::Queue;
use super::state::Picker;
use crate::balancer::Cause;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{ArcSwap, Handle, Mutex, Notify};

/// One state of the channel.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) picker: Picker,
    /// Failed attempts to resolve or connect since a connection last proved itself.
    pub(crate) attempts: u32,
    pub(crate) last_failure: Option<Status>,
}

impl Snapshot {
    pub(crate) const fn idle() -> Self {
        Self {
            picker: Picker::Idle,
            attempts: 0,
            last_failure: None,
        }
    }

    pub(crate) const fn closed(why: Status) -> Self {
        Self {
            picker: Picker::Closed(why),
            attempts: 0,
            last_failure: None,
        }
    }

    /// What a call that waits for this snapshot to change waits for.
    pub(crate) fn describe(&self) -> String {
        let mut text = self.picker.to_string();
        if let Some(failure) = &self.last_failure {
            let attempts = self.attempts;
            text.push_str(&format!(
                "; {attempts} attempt(s) failed, the last with: {}",
                Cause(failure)
            ));
        }
        text
    }

    /// The stage that belongs to [`describe`](Self::describe).
    pub(crate) fn stage(&self) -> Stage {
        match &self.picker {
            Picker::Resolving => Stage::Resolve,
            Picker::Ready(_) => Stage::Pick,
            Picker::Idle | Picker::Connecting(..) | Picker::Closed(_) => Stage::Connect,
            Picker::Failed(why) => why.stage().unwrap_or(Stage::Connect),
        }
    }
}

/// The right to open one stream on this connection.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) connection: ClientConnection,
    pub(crate) permit: Permit,
}

/// What all clones of a channel, its calls and its control loop share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    snapshot: ArcSwap<Snapshot>,
    /// Notified, all waiters, after every new snapshot.
    pub(crate) changed: Notify,
    /// Notified by connections when a stream has become free.
    pub(crate) freed: Arc<Notify>,
    /// Wakes the control loop.
    pub(crate) wake: Arc<Notify>,
    /// Calls that wait for a free stream.
    pub(crate) queue: Queue<Picked>,
    /// Whether a peer took a call since the channel was last READY.
    pub(crate) taken: Arc<AtomicBool>,
    /// Calls that wait for a connection or a stream.
    waiting: AtomicUsize,
    /// Calls that ever had to.
    waited: AtomicU64,
    /// Somebody asks for a connection without a call.
    wanted: AtomicBool,
    /// The channel is to be closed, or is.
    close: Mutex<Option<Close>>,
    running: AtomicBool,
    /// How the last control loop ended.
    panicked: AtomicBool,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            snapshot: ArcSwap::from_pointee(Snapshot::idle()),
            changed: Notify::new(),
            freed: Arc::new(Notify::new()),
            wake: Arc::new(Notify::new()),
            queue: Queue::new(),
            taken: Arc::new(AtomicBool::new(false)),
            waiting: AtomicUsize::new(0),
            waited: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            close: Mutex::new(None),
            running: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.changed.notify_waiters();
    }

    /// The ready path: takes a free stream without waiting and without a lock of ours.
    ///
    /// `None` where there is none, or where others have been waiting for one longer.
    pub(crate) fn try_pick<R>(
        &self,
        start: impl FnOnce(&ClientConnection, Permit) -> R,
    ) -> Option<R> {
        if !self.queue.is_empty() {
            return None;
        }
        let snapshot = self.snapshot.load();
        let Picker::Ready(ready) = &snapshot.picker else {
            return None;
        };
        let (connection, permit) = free_stream(&ready.connections)?;
        Some(start(connection, permit))
    }

    /// Starts the control loop if none runs, on the caller's runtime. True if it was started.
    pub(crate) fn ensure_running(self: &Arc<Self>) -> Result<bool, Status> {
        if self.running.load(Ordering::Acquire) {
            return Ok(false);
        }
        // Before the claim: others wait for who has made it.
        let runtime = Handle::try_current().map_err(|error| no_runtime().with_source(error))?;
        if self.running.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        runtime.spawn(Control::new(self).run());
        Ok(true)
    }

    /// The control loop is gone, with every connection it had.
    pub(crate) fn stopped(&self) {
        self.panicked
            .store(std::thread::panicking(), Ordering::Release);
        // Its last word before another loop may start, whose first word this must not replace; then
        // a wake-up for those that read it and found this loop still running.
        self.publish(match self.closed_by() {
            Some(_) => Snapshot::closed(self.closed_status()),
            None => Snapshot::idle(),
        });
        self.running.store(false, Ordering::Release);
        if self.closed_by().is_some() {
            // Asked for between the two above, perhaps: nothing but this is published any more.
            self.publish(Snapshot::closed(self.closed_status()));
        }
        self.changed.notify_waiters();
    }

    /// A peer took a call: the connection is of use.
    pub(crate) fn taken(&self) {
        // Read first: nearly always it is set, and a line that is only read is shared by all cores.
        if !self.taken.load(Ordering::Relaxed) {
            self.taken.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the last control loop ended in a panic.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Acquire)
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// Calls that wait for a connection or a stream.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Calls that had to wait so far, however that ended.
    pub(crate) fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    pub(crate) fn count_waiting(&self) -> Counted<'_> {
        self.waited.fetch_add(1, Ordering::Relaxed);
        Counted::new(&self.waiting)
    }

    /// Asks for a connection without a call.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether somebody asked since this was last called.
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Closes the channel: at `until` the calls that are left are cancelled.
    pub(crate) fn request_close(&self, until: Instant) {
        {
            let mut close = self.close.lock();
            match close.as_mut() {
                Some(close) => close.until = close.until.min(until),
                None => {
                    *close = Some(Close {
                        until,
                        report: None,
                    });
                }
            }
        }
        // One that starts only now sees the request before anything else.
        if !self.is_running() {
            self.publish(Snapshot::closed(self.closed_status()));
        }
        self.wake.notify_one();
    }

    /// When the grace of a close is over; `None` while nobody closed the channel.
    pub(crate) fn closed_by(&self) -> Option<Instant> {
        self.close.lock().as_ref().map(|close| close.until)
    }

    /// The control loop has closed everything.
    pub(crate) fn close_done(&self, report: CloseReport) {
        if let Some(close) = self.close.lock().as_mut() {
            close.report.get_or_insert(report);
        }
    }

    /// Waits for the report of a close; `None` where there is no control loop to make one.
    pub(crate) async fn close_report(&self) -> Option<CloseReport> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let report = self.close.lock().as_ref().and_then(|close| close.report);
            if report.is_some() || !self.is_running() {
                return report;
            }
            changed.await;
        }
    }

    /// What calls on a closed channel end with.
    pub(crate) fn closed_status(&self) -> Status {
        let target = &self.config.target.text;
        Status::cancelled(format!("the channel to {target} was closed"))
            .with_stage(Stage::Pick)
            .with_unprocessed(true)
    }
}

/// A close that was asked for.
#[derive(Debug)]
struct Close {
    until: Instant,
    report: Option<CloseReport>,
}

/// A permit of the oldest connection that has one.
pub(super) fn free_stream<'a>(
    connections: impl IntoIterator<Item = &'a ClientConnection>,
) -> Option<(&'a ClientConnection, Permit)> {
    let mut each = connections.into_iter();
    each.find_map(|connection| Some((connection, connection.try_permit()?)))
}

impl Drop for Shared {
    /// The last channel and call are gone: lets the control loop notice.
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// A call that cannot run here.
pub(crate) fn no_runtime() -> Status {
    Status::internal("the call was polled outside of a tokio runtime; trunkline needs one with IO and time enabled")
        .with_unprocessed(true)
}

/// A call whose channel cannot run here: its control loop panics each time that it is started.
pub(crate) fn loop_panics() -> Status {
    Status::internal("the channel's control loop panicked; trunkline needs a tokio runtime with IO and time enabled: enable_all(), or enable_time() beside enable_io()")
        .with_unprocessed(true)
}

/// Counts one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::Channel;

    const ROUNDS: usize = 5_000;

    fn shared() -> Arc<Shared> {
        Channel::insecure("10.0.0.1:1").unwrap().0
    }

    #[test]
    fn no_loop_starts_before_the_last_word_of_the_one_that_stops() {
        let shared = shared();
        let stops = Arc::clone(&shared);
        let rounds = AtomicUsize::new(0);
        let mut late = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    while rounds.load(Ordering::Acquire) != 2 * round + 1 {
                        thread::yield_now();
                    }
                    stops.stopped();
                }
            });
            for round in 0..ROUNDS {
                shared.publish(Snapshot {
                    picker: Picker::Resolving,
                    ..Snapshot::idle()
                });
                shared.running.store(true, Ordering::Release);
                rounds.store(2 * round + 1, Ordering::Release);
                while shared.running.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                late += usize::from(!matches!(shared.snapshot().picker, Picker::Idle));
                rounds.store(2 * round + 2, Ordering::Release);
            }
        });
        assert_eq!(late, 0, "of {ROUNDS}");
    }
}
