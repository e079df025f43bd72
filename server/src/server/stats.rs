//! What a server counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use trunkline_transport::http2::Finished;

use super::Shared;

/// The counters of a server at one moment. All but the `live_` ones only ever grow.
///
/// Every RPC that was started is live, or has ended in exactly one way: `rpcs_completed`,
/// `rpcs_cancelled`, `rpcs_deadline_exceeded`, `rpcs_stopped` or `rpcs_panicked`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Listeners that are being accepted from.
    pub live_listeners: u64,
    /// Connections that are open, those in their handshake among them.
    pub live_connections: u64,
    /// Tasks of RPCs that have not ended.
    pub live_rpcs: u64,
    /// Tasks started with `RequestContext::spawn` that have not ended.
    pub live_children: u64,
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections closed at once because `max_connections` were open.
    pub connections_refused: u64,
    /// Connections that this side closed for what their client did: it broke a rule of HTTP/2, or
    /// cost too much. GOAWAY and the log say which it was.
    pub connections_expelled: u64,
    /// Connections on which no HTTP/2 was agreed: errors, timeouts, and those that a stop met.
    pub handshakes_failed: u64,
    /// Errors of listeners.
    pub accept_errors: u64,
    /// RPCs that reached a handler.
    pub rpcs_started: u64,
    /// RPCs whose handler came to an end by itself, whatever it said.
    pub rpcs_completed: u64,
    /// RPCs that their client gave up: it reset the stream, or its connection was lost.
    pub rpcs_cancelled: u64,
    /// RPCs whose client was gone and whose handler ran to completion all the same, because its
    /// method is to. They are counted under `rpcs_cancelled` or `rpcs_deadline_exceeded` too.
    pub rpcs_ran_on: u64,
    /// RPCs ended by their deadline: the client's, or `max_timeout`. A client that watches its
    /// deadline itself often gives up a moment before the server would: that is `rpcs_cancelled`.
    pub rpcs_deadline_exceeded: u64,
    /// RPCs cut short by the stop of the server, or with its runtime.
    pub rpcs_stopped: u64,
    /// RPCs whose handler, or a child of it, panicked.
    pub rpcs_panicked: u64,
    /// Requests answered without a handler: unknown methods and what is no gRPC request.
    pub requests_rejected: u64,
}

/// How the task of an RPC ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Cancelled,
    DeadlineExceeded,
    Stopped,
    Panicked,
}

/// The counters themselves. An RPC touches two: `rpcs_started`, and one of those for its end.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    listeners: AtomicU64,
    connections: AtomicU64,
    children: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    expelled: AtomicU64,
    handshakes_failed: AtomicU64,
    accept_errors: AtomicU64,
    started: AtomicU64,
    completed: AtomicU64,
    cancelled: AtomicU64,
    ran_on: AtomicU64,
    deadline_exceeded: AtomicU64,
    stopped: AtomicU64,
    panicked: AtomicU64,
    rejected: AtomicU64,
    stopped_by_trailers: AtomicU64,
    stopped_by_reset: AtomicU64,
    connections_closed: AtomicU64,
    connections_aborted: AtomicU64,
    ended: Notify,
}

impl Counters {
    pub(crate) fn rpc_started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// SeqCst: whoever waits for the last one reads after it has said that it waits.
    pub(super) fn rpc_ended(&self, how: End) {
        let counter = match how {
            End::Completed => &self.completed,
            End::Cancelled => &self.cancelled,
            End::DeadlineExceeded => &self.deadline_exceeded,
            End::Stopped => &self.stopped,
            End::Panicked => &self.panicked,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    /// A stop ended an RPC, and how its client learns of it.
    pub(crate) fn rpc_stopped(&self, how: Finished) {
        let counter = match how {
            Finished::Trailers => &self.stopped_by_trailers,
            Finished::Reset => &self.stopped_by_reset,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A handler ran to completion without its client.
    pub(crate) fn rpc_ran_on(&self) {
        self.ran_on.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accept_failed(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection_expelled(&self) {
        self.expelled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection_ended(&self, aborted: bool) {
        let counter = if aborted {
            &self.connections_aborted
        } else {
            &self.connections_closed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes those who wait in [`quiet`](Self::quiet).
    pub(super) fn something_ended(&self) {
        self.ended.notify_waiters();
    }

    /// Waits until there is no listener, no connection, no RPC and no child.
    pub(super) async fn quiet(&self) {
        loop {
            let ended = self.ended.notified();
            let stats = self.read();
            let live = stats.live_listeners + stats.live_connections;
            if live + stats.live_rpcs + stats.live_children == 0 {
                return;
            }
            ended.await;
        }
    }

    pub(super) fn read(&self) -> ServerStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        // Ends before starts, so that no RPC seems to have ended before it started.
        let (completed, cancelled) = (get(&self.completed), get(&self.cancelled));
        let (late, stopped) = (get(&self.deadline_exceeded), get(&self.stopped));
        let panicked = get(&self.panicked);
        let ended = completed + cancelled + late + stopped + panicked;
        let started = get(&self.started);
        ServerStats {
            live_listeners: get(&self.listeners),
            live_connections: get(&self.connections),
            live_rpcs: started.saturating_sub(ended),
            live_children: get(&self.children),
            connections_accepted: get(&self.accepted),
            connections_refused: get(&self.refused),
            connections_expelled: get(&self.expelled),
            handshakes_failed: get(&self.handshakes_failed),
            accept_errors: get(&self.accept_errors),
            rpcs_started: started,
            rpcs_completed: completed,
            rpcs_cancelled: cancelled,
            rpcs_ran_on: get(&self.ran_on),
            rpcs_deadline_exceeded: late,
            rpcs_stopped: stopped,
            rpcs_panicked: panicked,
            requests_rejected: get(&self.rejected),
        }
    }

    /// What a stop adds to, besides the public counters.
    pub(super) fn stops(&self) -> Stops {
        let get = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Stops {
            trailers: get(&self.stopped_by_trailers),
            reset: get(&self.stopped_by_reset),
            closed: get(&self.connections_closed),
            aborted: get(&self.connections_aborted),
        }
    }
}

/// How RPCs and connections ended so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stops {
    pub(super) trailers: u64,
    pub(super) reset: u64,
    pub(super) closed: u64,
    pub(super) aborted: u64,
}

/// One thing that lives while this does.
#[derive(Debug)]
struct Live {
    shared: Arc<Shared>,
    counter: fn(&Counters) -> &AtomicU64,
}

impl Live {
    fn new(shared: Arc<Shared>, counter: fn(&Counters) -> &AtomicU64) -> Self {
        counter(&shared.counters).fetch_add(1, Ordering::SeqCst);
        Self { shared, counter }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        (self.counter)(&self.shared.counters).fetch_sub(1, Ordering::SeqCst);
        self.shared.ended();
    }
}

/// Counts one listener.
#[derive(Debug)]
pub(super) struct ListenerGuard(#[expect(dead_code, reason = "held for its drop")] Live);

impl ListenerGuard {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(Live::new(shared, |counters| &counters.listeners))
    }
}

/// Counts one child of an RPC.
#[derive(Debug)]
pub(crate) struct ChildGuard(#[expect(dead_code, reason = "held for its drop")] Live);

impl ChildGuard {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(Live::new(shared, |counters| &counters.children))
    }
}

/// Counts one connection, and keeps its place among `max_connections`.
#[derive(Debug)]
pub(super) struct ConnectionGuard(#[expect(dead_code, reason = "held for its drop")] Live);

impl ConnectionGuard {
    /// A place for one more connection; `None` if there are `max_connections`.
    pub(super) fn new(shared: &Arc<Shared>) -> Option<Self> {
        let guard = Self(Live::new(Arc::clone(shared), |counters| {
            &counters.connections
        }));
        let counters = &shared.counters;
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        let limit = u64::try_from(shared.limits.max_connections).unwrap_or(u64::MAX);
        if counters.connections.load(Ordering::SeqCst) > limit {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(guard)
    }
}
