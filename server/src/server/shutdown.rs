//! Stopping within a bound, whatever the peers do.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_core::Deadline;
use trunkline_transport::now;

use super::{ServerStats, Shared};

/// How long a peer may open new streams after it was told to stop: until it has acknowledged,
/// which takes one round trip, or this long if it never does.
const ACK_WAIT: Duration = Duration::from_secs(1);

/// How often a connection whose peer does not acknowledge is looked at: with no RPC left, it is
/// closed without it.
const IDLE_CHECK: Duration = Duration::from_millis(100);

/// How long answers may take to leave once the grace is over.
const FLUSH: Duration = Duration::from_millis(100);

/// How long the last GOAWAY may take to leave.
const CLOSE: Duration = Duration::from_millis(50);

/// After the grace, the longest that `graceful_stop` takes: what the connections do, and a margin.
const BOUND: Duration = Duration::from_millis(190);

/// Stops a server and reads its counters. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl ServerHandle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Stops the server: no new connections and calls, and up to `grace` for those that run.
    ///
    /// 1. The listeners are closed, and so are connections still in their handshake.
    /// 2. Every connection is told with GOAWAY, and from its acknowledgement on, or after 1 s,
    ///    refuses new calls.
    /// 3. When the grace is over, handlers that still run are dropped. Their calls are answered
    ///    UNAVAILABLE; where the client has left no room for it, the end of the connection
    ///    says the same.
    /// 4. 100 ms later all connections are closed.
    ///
    /// A handler that goes on for as long as its client likes takes all of the grace, unless it
    /// ends itself when [`RequestContext::stopping`](crate::RequestContext::stopping) tells it of
    /// the stop.
    ///
    /// Returns when nothing is left, at the latest 200 ms after the grace, even if a handler
    /// blocks its thread. Called again, the shorter grace counts.
    /// Cancel safe: the stop goes on without its caller. Needs a tokio runtime.
    pub async fn graceful_stop(&self, grace: Duration) -> StopReport {
        let stop = tokio::spawn(stop(Arc::clone(&self.shared), grace));
        // Fails only when the runtime itself is going away: then there is nothing to report.
        stop.await.unwrap_or_default()
    }

    /// The counters as they stand.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.counters.read()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("stats", &self.stats())
            .finish()
    }
}

/// What a stop did with what it met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopReport {
    /// RPCs that came to their own end within the grace.
    pub completed: u64,
    /// RPCs cut at the end of the grace and answered UNAVAILABLE.
    pub trailers: u64,
    /// RPCs cut at the end of the grace whose client left no room for an answer: it learns from
    /// the end of the connection.
    pub reset: u64,
    /// Connections that ended in order.
    pub connections_closed: u64,
    /// Connections that were lost, or had to be cut: in their handshake, or with something left.
    pub connections_aborted: u64,
    /// Tasks of RPCs that are still running: handlers that block their thread.
    pub unfinished: u64,
    /// How long the stop took.
    pub elapsed: Duration,
}

impl StopReport {
    /// How many RPCs did not come to their own end: those answered UNAVAILABLE, those cut off, and
    /// those whose handlers still block a thread. With 0 nobody noticed the stop.
    #[must_use]
    pub const fn cut_short(&self) -> u64 {
        self.trailers + self.reset + self.unfinished
    }
}

async fn stop(shared: Arc<Shared>, grace: Duration) -> StopReport {
    let started = now();
    let counters = &shared.counters;
    let (before, stops_before) = (counters.read(), counters.stops());
    tracing::debug!(?grace, "stopping");
    shared.drain.raise();
    if tokio::time::timeout(grace, counters.quiet()).await.is_err() {
        shared.abort.raise();
        // A failure is in the report, as `unfinished`.
        let _ = tokio::time::timeout(BOUND, counters.quiet()).await;
    }
    shared.abort.raise();
    let (after, stops) = (counters.read(), counters.stops());
    let report = StopReport {
        completed: after.rpcs_completed - before.rpcs_completed,
        trailers: stops.trailers - stops_before.trailers,
        reset: stops.reset - stops_before.reset,
        connections_closed: stops.closed - stops_before.closed,
        connections_aborted: stops.aborted - stops_before.aborted,
        unfinished: after.live_rpcs,
        elapsed: now().saturating_duration_since(started),
    };
    tracing::debug!(?report, "stopped");
    shared.stopped.raise();
    report
}

/// What a connection has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Tell the peer to open no more streams.
    GoAway,
    /// Refuse those that it opens all the same.
    RefuseNew,
    /// Drop the handlers that still run, and refuse new streams.
    CancelHandlers,
    /// Drop what is queued and say goodbye.
    Abrupt,
    /// Drop the socket.
    Close,
    /// Nothing but to look again later.
    Wait,
}

/// The order in which one connection ends: events and the time go in, actions come out.
///
/// 1. The server drains: GOAWAY.
/// 2. After 1 s: refuse new streams. A peer in order has acknowledged by then, and its connection
///    ends by itself with its last stream; one that is mute ends when two looks, 100 ms apart,
///    find no stream.
/// 3. The grace is over: cancel the handlers; 100 ms for their answers.
/// 4. Abrupt; 50 ms for the GOAWAY. 5. Close.
#[derive(Debug, Default)]
pub(super) struct StopSequence {
    step: Step,
    wake: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Running,
    Draining,
    Refusing {
        idle: bool,
    },
    Flushing,
    Closing,
}

impl StopSequence {
    /// When [`tick`](Self::tick) is due.
    pub(super) fn wake(&self) -> Option<Deadline> {
        self.wake.map(Deadline::at)
    }

    /// Whether the server's drain would be news.
    pub(super) fn is_running(&self) -> bool {
        self.step == Step::Running
    }

    /// Whether the end of the grace would be news.
    pub(super) const fn has_grace(&self) -> bool {
        matches!(
            self.step,
            Step::Running | Step::Draining | Step::Refusing { .. }
        )
    }

    /// Whether the connection is being cut.
    pub(super) fn is_cut(&self) -> bool {
        self.step == Step::Closing
    }

    /// The server drains.
    pub(super) fn drain(&mut self, now: Instant) -> Action {
        self.go(Step::Draining, now, ACK_WAIT, Action::GoAway)
    }

    /// The grace is over.
    pub(super) fn grace_over(&mut self, now: Instant) -> Action {
        self.go(Step::Flushing, now, FLUSH, Action::CancelHandlers)
    }

    /// The time of [`wake`](Self::wake) has come.
    pub(super) fn tick(&mut self, now: Instant, has_streams: bool) -> Action {
        match self.step {
            Step::Running => Action::Wait,
            Step::Draining => {
                let next = Step::Refusing { idle: !has_streams };
                self.go(next, now, IDLE_CHECK, Action::RefuseNew)
            }
            Step::Refusing { idle: true } if !has_streams => {
                self.go(Step::Closing, now, CLOSE, Action::Abrupt)
            }
            Step::Refusing { .. } => {
                let next = Step::Refusing { idle: !has_streams };
                self.go(next, now, IDLE_CHECK, Action::Wait)
            }
            Step::Flushing => self.go(Step::Closing, now, CLOSE, Action::Abrupt),
            Step::Closing => Action::Close,
        }
    }

    fn go(&mut self, step: Step, now: Instant, wait: Duration, action: Action) -> Action {
        self.step = step;
        self.wake = Some(now + wait);
        action
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Action, StopSequence};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_mute_idle_peer_is_closed_without_its_acknowledgement() {
        let start = Instant::now();
        let mut sequence = StopSequence::default();
        assert_eq!(sequence.drain(start), Action::GoAway);
        let mut at = start + 1000 * MS;
        assert_eq!(sequence.wake().unwrap().instant(), at);
        assert_eq!(sequence.tick(at, true), Action::RefuseNew);
        for has_streams in [true, false, true, false] {
            at += 100 * MS;
            assert_eq!(sequence.wake().unwrap().instant(), at);
            assert_eq!(sequence.tick(at, has_streams), Action::Wait);
        }
        at += 100 * MS;
        assert_eq!(sequence.tick(at, false), Action::Abrupt);
        assert!(sequence.is_cut() && !sequence.has_grace());
        at += 50 * MS;
        assert_eq!(sequence.tick(at, false), Action::Close);
    }

    #[test]
    fn the_end_of_the_grace_bounds_what_is_left() {
        let start = Instant::now();
        for drained_before in [true, false] {
            let mut sequence = StopSequence::default();
            if drained_before {
                sequence.drain(start);
            }
            assert!(sequence.has_grace());
            assert_eq!(sequence.grace_over(start), Action::CancelHandlers);
            assert!(!sequence.has_grace() && !sequence.is_running());
            assert_eq!(sequence.tick(start + 100 * MS, true), Action::Abrupt);
            assert_eq!(sequence.tick(start + 150 * MS, true), Action::Close);
        }
    }
}
