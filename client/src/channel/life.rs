//! What a channel tells about its connections, and how it is told to connect and to close.

use std::time::Duration;

use tokio::runtime::Handle;
use trunkline_core::Status;
use trunkline_transport::now;

use super::Channel;
use super::close::CloseReport;
use super::state::{ChannelStats, ConnectivityState, Picker};

/// How far after its grace a close may return: what the control loop does, and a margin.
const CLOSE_BOUND: Duration = Duration::from_millis(200);

impl Channel {
    /// Whether the channel can carry calls now.
    ///
    /// A moment later it may be otherwise: to decide whether to call, call.
    #[must_use]
    pub fn state(&self) -> ConnectivityState {
        self.0.snapshot().picker.state()
    }

    /// Waits until the state is another than `from`, and says which. At once if it is already.
    ///
    /// What lies between two calls is not told, the newest always is. Watching connects to nothing;
    /// see [`connect`](Self::connect). Pending for ever once the state is
    /// [`Shutdown`](ConnectivityState::Shutdown) and `from` is too. Cancel safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use trunkline_client::{Channel, ConnectivityState};
    ///
    /// let channel = Channel::insecure("127.0.0.1:1")?;
    /// assert_eq!(channel.state(), ConnectivityState::Idle);
    /// channel.connect()?;
    /// let mut state = channel.state();
    /// while state != ConnectivityState::TransientFailure {
    ///     state = channel.changed(state).await;
    /// }
    /// let why = channel.last_failure().expect("a failure");
    /// assert!(why.to_string().contains("127.0.0.1:1"));
    /// # Ok(()) }
    /// ```
    pub async fn changed(&self, from: ConnectivityState) -> ConnectivityState {
        loop {
            // Registered before the state is read: a change in between is not missed.
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let state = self.state();
            if state != from {
                return state;
            }
            changed.await;
        }
    }

    /// The newest failure to resolve or connect since a connection last proved itself; `None`
    /// while the channel is READY.
    #[must_use]
    pub fn last_failure(&self) -> Option<Status> {
        self.0.snapshot().last_failure.clone()
    }

    /// Leaves IDLE on purpose: resolves and connects without a call. In any other state it changes
    /// nothing.
    ///
    /// Does not wait; [`changed`](Self::changed) does. The idle timeout counts from here.
    /// Errors: CANCELLED if the channel was closed; INTERNAL outside of a tokio runtime.
    pub fn connect(&self) -> Result<(), Status> {
        if self.0.closed_by().is_some() {
            return Err(self.0.closed_status());
        }
        self.0.want();
        self.0.ensure_running()?;
        Ok(())
    }

    /// What the channel has in use now.
    #[must_use]
    pub fn stats(&self) -> ChannelStats {
        let snapshot = self.0.snapshot();
        let queued = self.0.queue.len();
        let mut stats = ChannelStats {
            queued_calls: queued,
            waiting_calls: self.0.waiting().saturating_sub(queued),
            failed_attempts: snapshot.attempts,
            ..ChannelStats::default()
        };
        if let Picker::Ready(ready) = &snapshot.picker {
            let usage = ready.usage();
            stats.connections = ready.connections.len();
            stats.streams_in_use = usage.in_use;
            stats.stream_limit = usage.limit;
        }
        stats
    }

    /// Closes the channel, for all of its clones: no new calls, and up to `grace` for those that
    /// run.
    ///
    /// 1. New calls, and those that still wait for a connection or a stream, end with CANCELLED and
    ///    a text that says so; the state is [`Shutdown`](ConnectivityState::Shutdown).
    /// 2. Calls that run go on. A connection closes with its last one.
    /// 3. When the grace is over, the calls that are left end with CANCELLED.
    ///
    /// Returns when no connection is left, at the latest 200 ms after the grace. Called again, it
    /// waits too; the shorter grace counts, and the report stays the same.
    /// Cancel safe: the close goes on without its caller.
    ///
    /// Without it connections close by themselves, once the last clone and the last call are gone.
    pub async fn close(&self, grace: Duration) -> CloseReport {
        let started = now();
        let forever = started + Duration::from_secs(60 * 60 * 24 * 365);
        self.0
            .request_close(started.checked_add(grace).unwrap_or(forever));
        let report = if !self.0.is_running() || Handle::try_current().is_err() {
            self.0.close_report().await
        } else {
            let bound = grace.saturating_add(CLOSE_BOUND);
            let waited = tokio::time::timeout(bound, self.0.close_report()).await;
            waited.ok().flatten()
        };
        // Without a control loop there was nothing to close; with one that does not run, nobody
        // knows.
        report.unwrap_or_else(|| CloseReport {
            elapsed: now().saturating_duration_since(started),
            ..CloseReport::default()
        })
    }
}
