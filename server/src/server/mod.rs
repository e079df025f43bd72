//! The server: listeners, one task per connection, and how it stops.

mod accept;
mod builder;
mod connection;
mod lifetime;
mod limits;
mod place;
mod shutdown;
mod stats;
mod tasks;
#[cfg(unix)]
mod unix;
mod workers;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::task::JoinSet;
use trunkline_core::stats::{CallStats, Side, StatsHandlers};
use trunkline_core::{Deadline, MethodDescriptor, Status};
use trunkline_transport::http2::ServerConfig;
use trunkline_transport::{Address, Peer, now};

use self::accept::Door;
pub use self::builder::ServerBuilder;
pub(crate) use self::limits::Limits;
pub use self::limits::MethodLimits;
pub use self::shutdown::{ServerHandle, StopReport};
pub use self::stats::ServerStats;
pub(crate) use self::stats::{ChildGuard, Counters, End};
pub(crate) use self::tasks::Tasks;
use self::workers::{Place, Threads};
use crate::compression::ServerCompression;
use crate::router::Routes;
use crate::signal::Signal;

/// A server with its listeners bound, ready to [`serve`](Self::serve).
///
/// Connections are accepted by the kernel from the moment it is bound, and answered once it
/// serves.
pub struct Server {
    doors: Vec<Door>,
    address: Address,
    addresses: Vec<Address>,
    /// Threads that serve the connections; `None` where `serve` does.
    workers: Option<usize>,
    shared: Arc<Shared>,
}

impl Server {
    /// Configures a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Configures a server that speaks plaintext: short for `Server::builder().insecure()`.
    pub fn insecure() -> ServerBuilder {
        Self::builder().insecure()
    }

    fn new(last: Door, mut doors: Vec<Door>, workers: Option<usize>, shared: Shared) -> Self {
        let address = last.listener.address();
        doors.push(last);
        Self {
            address,
            addresses: doors.iter().map(|door| door.listener.address()).collect(),
            doors,
            workers,
            shared: Arc::new(shared),
        }
    }

    /// Stops and observes the server from elsewhere. Any number of them may exist.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.shared))
    }

    /// The address given to `bind`, with the port that the kernel chose, or that of the listener
    /// given to `listen`.
    #[must_use]
    pub const fn local_address(&self) -> &Address {
        &self.address
    }

    /// The addresses of all listeners, that one last.
    #[must_use]
    pub fn local_addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Accepts and answers until [`ServerHandle::graceful_stop`] has stopped the server.
    ///
    /// No error of a listener, a connection or a call ends it.
    /// Errors: UNAVAILABLE when the threads of [`ServerBuilder::workers`] cannot be started.
    /// Cancel safe, as far as that can be: dropping it stops the server at once, without grace.
    pub async fn serve(self) -> Result<(), Status> {
        // Tasks of a `JoinSet` end with it, and `Abandon` ends the connections.
        let _abandon = Abandon(&self.shared);
        let (threads, place) = match self.workers {
            Some(wanted) => {
                let (threads, place) = Threads::start(wanted, &self.shared)?;
                (Some(threads), place)
            }
            None => (None, Place::Here),
        };
        let mut accepting = JoinSet::new();
        for door in self.doors {
            accepting.spawn(accept::run(door, place.clone(), Arc::clone(&self.shared)));
        }
        drop(place);
        self.shared.stopped.wait().await;
        // What hands connections to the threads ends here, and so do they.
        accepting.shutdown().await;
        if let Some(threads) = threads {
            threads.ended().await;
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("methods", &self.shared.routes.methods)
            .finish_non_exhaustive()
    }
}

/// Ends every connection at once when `serve` is dropped before its end.
struct Abandon<'a>(&'a Shared);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.drain.raise();
        self.0.abort.raise();
        self.0.stopped.raise();
    }
}

/// What all tasks of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    routes: Routes,
    http2: ServerConfig,
    limits: Limits,
    stats: StatsHandlers,
    compression: ServerCompression,
    counters: Counters,
    /// Accept nothing more; connections begin to end.
    drain: Signal,
    /// The grace is over.
    abort: Signal,
    /// The stop is complete.
    stopped: Signal,
}

impl Shared {
    fn new(
        routes: Routes,
        http2: ServerConfig,
        limits: Limits,
        stats: StatsHandlers,
        compression: ServerCompression,
    ) -> Self {
        Self {
            routes,
            http2,
            limits,
            stats,
            compression,
            counters: Counters::default(),
            drain: Signal::default(),
            abort: Signal::default(),
            stopped: Signal::default(),
        }
    }

    /// One of the things that a stop waits for has ended.
    fn ended(&self) {
        if self.drain.is_raised() {
            self.counters.something_ended();
        }
    }
}

/// What the RPCs of one connection share.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    peer: Peer,
    /// What the connection is called by those who measure, if anybody does.
    id: Option<u64>,
    /// Ends every RPC of the connection.
    stop: Signal,
    /// Links that an RPC holds beside its first.
    copies: AtomicUsize,
    /// RPCs whose client is gone and whose handler runs on.
    running_on: AtomicUsize,
    /// What their clients are told.
    why: OnceLock<&'static str>,
}

impl Link {
    fn new(shared: Arc<Shared>, peer: Peer, id: Option<u64>) -> Self {
        Self {
            shared,
            peer,
            id,
            stop: Signal::default(),
            copies: AtomicUsize::new(0),
            running_on: AtomicUsize::new(0),
            why: OnceLock::new(),
        }
    }

    /// Tells those who measure that an RPC begins; `None` if nobody does.
    pub(crate) fn begin_call(
        &self,
        method: &'static MethodDescriptor,
        deadline: Option<Deadline>,
    ) -> Option<CallStats> {
        let stats = &self.shared.stats;
        stats.begin_call(Side::Server, method, self.id, deadline, now)
    }

    /// RPCs of this connection whose tasks have not ended, each of which holds the link; without
    /// those that run on for nobody.
    fn live_rpcs(self: &Arc<Self>) -> usize {
        let copies = self.copies.load(Ordering::Relaxed);
        let running_on = self.running_on.load(Ordering::Relaxed);
        Arc::strong_count(self).saturating_sub(1 + copies + running_on)
    }

    /// A place for one more handler that runs on without its client; `None` if as many do as the
    /// client may have calls, so that one which opens and resets streams does not pile them up.
    pub(crate) fn run_on(&self) -> Option<RunsOn<'_>> {
        let place = RunsOn(self);
        let before = self.running_on.fetch_add(1, Ordering::Relaxed);
        let limit = usize::try_from(self.shared.http2.max_concurrent_streams);
        limit.is_ok_and(|limit| before < limit).then_some(place)
    }

    /// An RPC holds a second link.
    pub(crate) fn copied(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// It does not any more.
    pub(crate) fn copy_dropped(&self) {
        self.copies.fetch_sub(1, Ordering::Relaxed);
    }

    /// That of a connection which does not exist.
    #[cfg(feature = "testing")]
    pub(crate) fn detached(server: &Server, peer: Peer) -> Arc<Self> {
        Arc::new(Self::new(Arc::clone(&server.shared), peer, None))
    }

    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn compression(&self) -> &ServerCompression {
        &self.shared.compression
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(crate) const fn stop(&self) -> &Signal {
        &self.stop
    }

    /// Raised when the server begins to stop.
    pub(crate) fn drain(&self) -> &Signal {
        &self.shared.drain
    }

    /// Raised when the grace of the server's stop is over.
    pub(crate) fn abort(&self) -> &Signal {
        &self.shared.abort
    }

    /// Ends every RPC of the connection, and tells clients why.
    fn cut(&self, why: &'static str) {
        let _ = self.why.set(why);
        self.stop.raise();
    }

    /// Why the RPCs of the connection are ended by this side.
    pub(crate) fn why(&self) -> &'static str {
        self.why.get().copied().unwrap_or("the server is stopping")
    }

    /// The RPC's task is over.
    pub(crate) fn rpc_ended(&self, how: End) {
        self.shared.counters.rpc_ended(how);
        self.shared.ended();
    }

    /// A task started by `RequestContext::spawn` is about to begin.
    pub(crate) fn child(&self) -> ChildGuard {
        ChildGuard::new(Arc::clone(&self.shared))
    }

    /// The deadline of an RPC whose client allows it `timeout`, counted from `now`.
    fn deadline(&self, timeout: Option<std::time::Duration>) -> Option<Deadline> {
        let limit = self.shared.limits.max_timeout;
        let allowed = match (timeout, limit) {
            (Some(asked), Some(limit)) => asked.min(limit),
            (asked, limit) => asked.or(limit)?,
        };
        Some(Deadline::after(now(), allowed))
    }
}

/// The place of one handler that runs on without its client.
#[derive(Debug)]
pub(crate) struct RunsOn<'a>(&'a Link);

impl Drop for RunsOn<'_> {
    fn drop(&mut self) {
        self.0.running_on.fetch_sub(1, Ordering::Relaxed);
    }
}
