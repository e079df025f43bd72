//! The control loop: one task per channel that executes what the policies decide.
//!
//! Events come from the resolver, from connection attempts, from connections that end, from time,
//! and from calls that wait. Each is told to the policy it belongs to; then the actions are
//! executed; then a new snapshot is published. Nothing is decided here.

mod life;
mod measured;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use trunkline_core::stats::StatsHandlers;
use trunkline_core::{Origin, Stage, Status};
use trunkline_transport::http2::ClientConnection;
use trunkline_transport::now;

use measured::Measured;

use super::close::Closing;
use super::idle::Idleness;
use super::snapshot::{Picked, Shared, Snapshot, free_stream};
use super::state::{Picker, Ready};
use crate::balancer::{Action, Change, PickFirst, Verdict};
use crate::resolver::{Resolver, ResolverUpdate};
use crate::subchannel::{
    BackoffConfig, ConnectSettings, ConnectionId, State, Subchannel, SubchannelId, connect,
};

pub(crate) struct Control {
    /// Weak: the loop ends when the last channel and call are gone.
    shared: Weak<Shared>,
    wake: Arc<Notify>,
    freed: Arc<Notify>,
    /// Set by calls that a peer took, or may have taken, since this was last READY.
    taken: Arc<AtomicBool>,
    settings: ConnectSettings,
    backoff: BackoffConfig,
    max_connections: usize,
    /// What the channel's name stands for; `None` while the channel is IDLE for want of calls.
    resolver: Option<Box<dyn Resolver>>,
    balancer: PickFirst,
    /// When the balancer asked to be told the time.
    balancer_timer: Option<Instant>,
    subchannels: BTreeMap<SubchannelId, Subchannel>,
    /// The one attempt that a subchannel may have under way.
    attempts: BTreeMap<SubchannelId, AbortHandle>,
    /// Every connection until it is gone, those that take no more calls included.
    open: BTreeMap<ConnectionId, ClientConnection>,
    idleness: Idleness,
    closing: Option<Closing>,
    /// A close goes on though nobody is left to wait for it.
    kept: Option<Arc<Shared>>,
    stats: StatsHandlers,
    tasks: JoinSet<Done>,
    last_connection: u64,
    failures: u32,
    last_failure: Option<Status>,
}

/// What a task of the loop reports.
enum Done {
    Attempted(SubchannelId, Result<ClientConnection, Status>),
    Closed(SubchannelId, ConnectionId, Status),
    Ended(ConnectionId),
}

enum Event {
    Woken,
    Time,
    Resolver(ResolverUpdate),
    Task(Result<(Id, Done), JoinError>),
}

impl Control {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let config = &shared.config;
        Self {
            shared: Arc::downgrade(shared),
            wake: Arc::clone(&shared.wake),
            freed: Arc::clone(&shared.freed),
            taken: Arc::clone(&shared.taken),
            settings: config.connect.clone(),
            backoff: config.backoff.clone(),
            max_connections: config.max_connections,
            resolver: None,
            balancer: PickFirst::new(config.target.text.clone(), config.attempt_delay),
            balancer_timer: None,
            subchannels: BTreeMap::new(),
            attempts: BTreeMap::new(),
            open: BTreeMap::new(),
            idleness: Idleness::new(config.idle_timeout),
            closing: None,
            kept: None,
            stats: config.stats.clone(),
            tasks: JoinSet::new(),
            last_connection: 0,
            failures: 0,
            last_failure: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut event = Event::Woken;
        loop {
            // Made before the queue is served: what is freed in between is not missed.
            let freed = Arc::clone(&self.freed).notified_owned();
            let Some(shared) = self.shared.upgrade() else {
                return;
            };
            // A mere wake-up that leads to nothing is not published: it came from a call that
            // would wake up, find nothing new and wake this loop again.
            let mut news = !matches!(event, Event::Woken);
            let mut actions = Vec::new();
            self.handle(event, &mut actions);
            self.execute(actions);
            if let Some(until) = shared.closed_by() {
                news |= self.closing.is_none();
                if let Some(report) = self.close(&shared, until) {
                    shared.close_done(report);
                    return;
                }
            } else {
                news |= self.sleep_or_wake(&shared);
            }
            if news {
                shared.publish(self.snapshot(&shared));
            }
            self.serve_queue(&shared);
            let queue = shared.queue.wake_at();
            drop(shared);
            event = self.event(freed, queue).await;
        }
    }

    async fn event(&mut self, freed: OwnedNotified, queue: Option<Instant>) -> Event {
        let mut freed = pin!(freed);
        let wake_at = self
            .subchannels
            .values()
            .filter_map(Subchannel::wake_at)
            .chain(self.idleness.wake_at())
            .chain(self.closing.as_ref().map(Closing::wake_at))
            .chain(queue)
            .chain(self.balancer_timer)
            .min();
        let mut sleep = pin!(wake_at.map(|at| tokio::time::sleep_until(at.into())));
        let mut woken = pin!(self.wake.notified());
        let mut resolved = self.resolver.as_mut().map(|resolver| resolver.next());
        poll_fn(|cx| {
            if let Poll::Ready(Some(task)) = self.tasks.poll_join_next_with_id(cx) {
                return Poll::Ready(Event::Task(task));
            }
            if let Some(resolved) = &mut resolved
                && let Poll::Ready(update) = resolved.as_mut().poll(cx)
            {
                return Poll::Ready(Event::Resolver(update));
            }
            if let Some(sleep) = sleep.as_mut().as_pin_mut()
                && sleep.poll(cx).is_ready()
            {
                return Poll::Ready(Event::Time);
            }
            if freed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Woken);
            }
            woken.as_mut().poll(cx).map(|()| Event::Woken)
        })
        .await
    }

    fn handle(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Woken => {}
            Event::Time => self.tick(now(), out),
            Event::Resolver(ResolverUpdate::Addresses(addresses)) => {
                self.balancer.resolved(&addresses, out);
            }
            Event::Resolver(ResolverUpdate::Failed(why)) => {
                tracing::warn!(reason = why.message(), "name resolution failed");
                self.failed(&why);
                self.balancer.resolution_failed(why);
            }
            Event::Task(Ok((task, Done::Attempted(id, result)))) => {
                if self.attempts.get(&id).is_some_and(|each| each.id() == task) {
                    self.attempts.remove(&id);
                    self.attempted(id, result, now(), out);
                } else if let Ok(connection) = result {
                    connection.close();
                }
            }
            Event::Task(Ok((_, Done::Closed(id, connection, why)))) => {
                self.watch_end(connection);
                self.closed(id, connection, &why, now(), out);
            }
            Event::Task(Ok((_, Done::Ended(connection)))) => {
                self.open.remove(&connection);
            }
            Event::Task(Err(error)) => self.task_died(&error, out),
        }
    }

    /// Time has passed: backoffs may be over, and an attempt may have had its time.
    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut idle = Vec::new();
        for (id, subchannel) in &mut self.subchannels {
            subchannel.connections.tick(now);
            if subchannel.machine.tick(now) {
                idle.push(*id);
            }
        }
        for id in idle {
            self.balancer.changed(id, Change::Idle, out);
        }
        if self.balancer_timer.take_if(|at| *at <= now).is_some() {
            self.balancer.timer(out);
        }
    }

    /// An attempt has ended: the subchannel's first connection, or a further one.
    fn attempted(
        &mut self,
        id: SubchannelId,
        result: Result<ClientConnection, Status>,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        let Some(subchannel) = self.subchannels.get_mut(&id) else {
            return;
        };
        let address = subchannel.address.clone();
        let first = subchannel.machine.state() == State::Connecting;
        match result {
            Ok(connection) => {
                self.last_connection += 1;
                let number = ConnectionId(self.last_connection);
                let closed = connection.clone();
                let measured = Measured::begin(&self.stats, &address);
                self.open.insert(number, connection.clone());
                self.tasks.spawn(async move {
                    let why = closed.closed().await;
                    drop(measured);
                    // Calls that were answered or refused just before learn it first.
                    tokio::task::yield_now().await;
                    Done::Closed(id, number, why)
                });
                subchannel.connections.add(number, connection, now);
                tracing::info!(%address, connection = number.0, "ready");
                if first {
                    subchannel.machine.connected(now);
                    self.taken.store(false, Ordering::Relaxed);
                    self.balancer.changed(id, Change::Ready, out);
                }
            }
            Err(why) if first => {
                subchannel.machine.failed(now);
                let attempts = subchannel.machine.attempts();
                let again = subchannel.machine.wake_at().map(|at| at - now);
                tracing::warn!(%address, attempts, reason = why.message(), backoff = ?again, "connecting failed");
                self.failed(&why);
                self.balancer.changed(id, Change::Failed(why), out);
            }
            Err(why) => {
                subchannel.connections.grow_failed(now);
                tracing::warn!(%address, reason = why.message(), "a further connection could not be opened");
            }
        }
    }

    fn closed(
        &mut self,
        id: SubchannelId,
        number: ConnectionId,
        why: &Status,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        let Some(subchannel) = self.subchannels.get_mut(&id) else {
            return;
        };
        let address = subchannel.address.clone();
        tracing::info!(%address, connection = number.0, reason = why.message(), "connection closed");
        let known = self.open.get(&number);
        let goodbye = known.is_some_and(ClientConnection::said_goodbye);
        if known.is_some_and(ClientConnection::pings_too_often) {
            let keepalive = self.settings.http2.ping_less();
            tracing::warn!(%address, ?keepalive, "the server had too many PINGs: fewer from now on");
        }
        let mut carried = self.taken.load(Ordering::Relaxed);
        if let Some(connection) = subchannel.connections.remove(number, now) {
            // What goes away may still be at work on calls that it took.
            carried |= connection.usage().in_use > 0;
            connection.close();
        }
        if !subchannel.connections.is_empty() {
            return;
        }
        subchannel.connections.grow_cancelled();
        if let Some(attempt) = self.attempts.remove(&id) {
            attempt.abort();
        }
        if goodbye && subchannel.machine.left(now, carried) {
            self.balancer.changed(id, Change::Left, out);
            return;
        }
        subchannel.machine.lost(now, carried);
        if subchannel.machine.state() == State::TransientFailure {
            let attempts = subchannel.machine.attempts();
            let again = subchannel.machine.wake_at().map(|at| at - now);
            tracing::warn!(%address, attempts, reason = why.message(), backoff = ?again, "lost before it was of use");
            let why = lost_too_soon(why);
            self.failed(&why);
            self.balancer.changed(id, Change::Failed(why), out);
        } else {
            self.forgive();
            self.balancer.changed(id, Change::Idle, out);
        }
    }

    /// A task was aborted by this loop, or a connector of the user's panicked.
    fn task_died(&mut self, error: &JoinError, out: &mut Vec<Action>) {
        let mut attempts = self.attempts.iter();
        let Some(id) = attempts.find_map(|(id, each)| (each.id() == error.id()).then_some(*id))
        else {
            return;
        };
        self.attempts.remove(&id);
        let address = self
            .subchannels
            .get(&id)
            .map(|each| each.address.to_string());
        let why = Status::unavailable(format!(
            "{}: the connector panicked",
            address.unwrap_or_default()
        ))
        .with_stage(Stage::Connect)
        .with_unprocessed(true);
        self.attempted(id, Err(why), now(), out);
    }

    fn execute(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Create(id, address) => {
                    let subchannel = Subchannel::new(address, self.max_connections, &self.backoff);
                    self.subchannels.insert(id, subchannel);
                }
                Action::Connect(id) => {
                    let Some(subchannel) = self.subchannels.get_mut(&id) else {
                        continue;
                    };
                    if subchannel.machine.connect(now()) {
                        self.attempt(id);
                    }
                }
                Action::Drop(id) => self.drop_subchannel(id),
                Action::Resolve => {
                    if let Some(resolver) = &mut self.resolver {
                        resolver.resolve_now();
                    }
                }
                Action::Timer(after) => self.balancer_timer = Some(now() + after),
            }
        }
    }

    fn attempt(&mut self, id: SubchannelId) {
        let Some(subchannel) = self.subchannels.get(&id) else {
            return;
        };
        let address = subchannel.address.clone();
        let attempt = subchannel.machine.attempts();
        tracing::debug!(%address, attempt, "connecting");
        let settings = self.settings.clone();
        let freed = Arc::clone(&self.freed);
        let handle = self
            .tasks
            .spawn(async move { Done::Attempted(id, connect(&settings, &address, freed).await) });
        if let Some(old) = self.attempts.insert(id, handle) {
            old.abort();
        }
    }

    fn drop_subchannel(&mut self, id: SubchannelId) {
        if let Some(attempt) = self.attempts.remove(&id) {
            attempt.abort();
        }
        if let Some(mut subchannel) = self.subchannels.remove(&id) {
            if subchannel.machine.state() == State::Ready {
                self.forgive();
            }
            subchannel.machine.shutdown();
            for connection in subchannel.connections.iter() {
                connection.close();
            }
        }
    }

    /// Gives free streams to the calls that queue for one; if that does not help all, the selected
    /// subchannel may open another connection.
    fn serve_queue(&mut self, shared: &Shared) {
        let Verdict::Ready(id) = self.balancer.verdict() else {
            return;
        };
        let Some(subchannel) = self.subchannels.get_mut(&id) else {
            return;
        };
        if shared.queue.wake_at().is_some() {
            shared.queue.take_back(now());
        }
        shared.queue.serve(now, || {
            let (connection, permit) = free_stream(subchannel.connections.iter())?;
            let connection = connection.clone();
            Some(Picked { connection, permit })
        });
        let full = |connection: &ClientConnection| {
            let usage = connection.usage();
            usage.in_use >= usage.limit
        };
        if !shared.queue.is_empty() && subchannel.connections.grow(now(), full) {
            let open = subchannel.connections.len();
            tracing::debug!(address = %subchannel.address, open, "all streams in use: opening another connection");
            self.attempt(id);
        }
    }

    fn failed(&mut self, why: &Status) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(why.clone());
    }

    /// A connection has been of use: what failed before it is history.
    fn forgive(&mut self) {
        self.failures = 0;
        self.last_failure = None;
    }

    fn snapshot(&self, shared: &Shared) -> Snapshot {
        if self.closing.is_some() {
            return Snapshot::closed(shared.closed_status());
        }
        let picker = match self.balancer.verdict() {
            Verdict::Idle => Picker::Idle,
            Verdict::Resolving => Picker::Resolving,
            Verdict::Connecting => {
                Picker::Connecting(self.balancer.addresses(), self.settings.progress.clone())
            }
            Verdict::Failed(why) => Picker::Failed(why),
            Verdict::Ready(id) => self
                .subchannels
                .get(&id)
                .map_or(Picker::Idle, |subchannel| {
                    Picker::Ready(Ready {
                        connections: subchannel.connections.iter().cloned().collect(),
                        address: subchannel.address.clone(),
                        may_grow: subchannel.connections.may_grow(),
                    })
                }),
        };
        let ready = matches!(picker, Picker::Ready(_));
        Snapshot {
            picker,
            attempts: self.failures,
            last_failure: self.last_failure.clone().filter(|_| !ready),
        }
    }
}

/// A connection that was lost before it was of any use, as a failed attempt.
fn lost_too_soon(why: &Status) -> Status {
    let text = format!("lost as soon as it was ready: {}", why.message());
    Status::unavailable(text)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Http2)
        .with_unprocessed(true)
        .with_source(why.clone())
}

impl Drop for Control {
    /// The runtime that ran the loop is gone, or nobody needs the channel any more.
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.stopped();
        }
    }
}
