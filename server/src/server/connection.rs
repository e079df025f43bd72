//! The task of one connection: it drives the socket, hands each RPC to a task of its own, and
//! carries out the stop.

use std::error::Error as _;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;
use trunkline_core::protocol::Reject;
use trunkline_core::stats::{ConnectionStats, Side};
use trunkline_core::{Deadline, Stage, Status};
use trunkline_transport::credentials::{BoxCredentials, Secured, TransportCredentials};
use trunkline_transport::http2::{ServerConnection, ServerStream};
use trunkline_transport::{Address, BoxIo, Peer, Timer, now};

use super::lifetime::{Ending, Lifetime, random_spread};
use super::shutdown::{Action, StopSequence};
use super::stats::ConnectionGuard;
use super::tasks::Tasks;
use super::{Link, Shared};
use crate::handler::FirstPoll;
use crate::router::unknown;
use crate::rpc::Rpc;
use crate::signal::Wait;

/// Turns that a connection lets pass while handlers of reset streams wait to be dropped.
const PATIENCE: u8 = 16;

/// Agrees on HTTP/2 and serves until the connection ends.
///
/// No `async fn`, which would hold its arguments twice, and the handshake in a box: the task lives
/// as long as the connection, and is as large as what is largest in it.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would hold its arguments twice"
)]
pub(super) fn run(
    io: BoxIo,
    from: Address,
    credentials: BoxCredentials,
    guard: ConnectionGuard,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> + Send {
    async move {
        let _guard = guard;
        let agreed = Box::pin(handshake(io, &from, credentials, &shared)).await;
        match agreed {
            Ok(connection) => {
                tracing::debug!(peer = %from, "connected");
                let peer = connection.peer().clone();
                let measured = Measured::begin(&shared, &from);
                let id = measured.as_ref().map(|Measured(stats)| stats.id());
                let limits = shared.limits.lifetime;
                let mut driver = Driver {
                    // Where nobody tells when it rests a task for its next RPC would wait for ever.
                    tasks: Tasks::new(connection.at_rest().is_some()),
                    connection,
                    lifetime: Lifetime::new(limits, random_spread(), now())
                        .map(|lifetime| Box::new(Watched::new(lifetime))),
                    link: Arc::new(Link::new(Arc::clone(&shared), peer, id)),
                    sequence: StopSequence::default(),
                    timer: Timer::new(None),
                    patience: PATIENCE,
                    leaving: "graceful_stop",
                };
                driver.run(&shared).await;
            }
            Err(reason) => {
                shared.counters.handshake_failed();
                shared.counters.connection_ended(true);
                reason.log(&from);
            }
        }
    }
}

/// A connection that somebody measures: its end is told when this is dropped.
struct Measured(ConnectionStats);

impl Measured {
    fn begin(shared: &Shared, from: &Address) -> Option<Self> {
        let stats = &shared.stats;
        let begun = stats.begin_connection(Side::Server, format_args!("{from}"), now);
        begun.map(Self)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.0.end(now());
    }
}

/// The handshakes of the credentials and of HTTP/2, under one timeout. A stop ends them: nothing is
/// lost that a retry would not mend.
async fn handshake(
    io: BoxIo,
    from: &Address,
    credentials: BoxCredentials,
    shared: &Shared,
) -> Result<ServerConnection, NoHandshake> {
    let limit = shared.http2.handshake_timeout;
    let mut secured = false;
    let handshake = async {
        let Secured { io, security, .. } = credentials.server_handshake(io).await?;
        secured = true;
        let peer = Peer::new(from.clone()).with_security(security);
        ServerConnection::handshake(io, peer, &shared.http2).await
    };
    let ended = shared.drain.unless(timeout(limit, handshake)).await;
    Err(match ended {
        None => NoHandshake::Stopping,
        Some(Err(_elapsed)) if secured => NoHandshake::TooSlow("HTTP/2", limit),
        Some(Err(_elapsed)) => NoHandshake::TooSlow("TLS", limit),
        Some(Ok(Err(status))) => NoHandshake::Failed(status),
        Some(Ok(Ok(connection))) => return Ok(connection),
    })
}

/// Why a connection came to nothing.
enum NoHandshake {
    Stopping,
    TooSlow(&'static str, Duration),
    Failed(Status),
}

impl NoHandshake {
    /// What a client did wrong in TLS is news for whoever runs the server, because nobody else can
    /// tell it; that it hung up or was slow is not.
    fn log(&self, from: &Address) {
        match self {
            Self::Stopping => {
                tracing::debug!(peer = %from, "the stop of the server ended a handshake");
            }
            Self::TooSlow(what, limit) => {
                tracing::debug!(peer = %from, what, ?limit, "no handshake in time");
            }
            Self::Failed(why) if why.stage() == Some(Stage::Tls) && why.source().is_none() => {
                tracing::info!(peer = %from, reason = why.message(), "TLS handshake failed");
            }
            Self::Failed(why) => {
                tracing::debug!(peer = %from, reason = %why, "handshake failed");
            }
        }
    }
}

struct Driver {
    connection: ServerConnection,
    /// Those of its RPCs.
    tasks: Tasks,
    link: Arc<Link>,
    sequence: StopSequence,
    timer: Timer,
    /// `None` where nothing limits it.
    lifetime: Option<Box<Watched>>,
    patience: u8,
    /// What GOAWAY says.
    leaving: &'static str,
}

/// What clients are told whose calls the end of the server's grace cuts.
const STOPPED: &str = "server is shutting down";

/// The same for a connection that is too old.
const TOO_OLD: &str =
    "the connection's age is over its limit, and so is the grace (the server's max_connection_age)";

/// The lifetime of a connection, and its timer.
struct Watched {
    lifetime: Lifetime,
    timer: Timer,
}

impl Watched {
    fn new(lifetime: Lifetime) -> Self {
        let timer = Timer::new(lifetime.wake_at().map(Deadline::at));
        Self { lifetime, timer }
    }

    /// What is due.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        while self.timer.poll_expired(cx).is_ready() {
            let ending = self.lifetime.tick(now());
            self.timer = Timer::new(self.lifetime.wake_at().map(Deadline::at));
            if let Some(ending) = ending {
                return Poll::Ready(ending);
            }
        }
        Poll::Pending
    }

    /// The connection goes to sleep, with a call open or not.
    fn sleep(&mut self, connection: &ServerConnection, cx: &mut Context<'_>) {
        if self.lifetime.counts_idleness() && self.lifetime.observe(connection.has_streams(), now) {
            self.timer = Timer::new(self.lifetime.wake_at().map(Deadline::at));
            if self.timer.poll_expired(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

/// How a connection ended.
enum Closed {
    InOrder,
    Lost(Status),
    /// For what its client did.
    Expelled,
    /// The stop could not wait for it any longer.
    Cut,
}

impl Driver {
    async fn run(&mut self, shared: &Shared) {
        let mut drain = pin!(shared.drain.wait());
        let mut abort = pin!(shared.abort.wait());
        let closed = poll_fn(|cx| self.poll(drain.as_mut(), abort.as_mut(), cx)).await;
        let peer = self.link.peer().address();
        let in_order = matches!(closed, Closed::InOrder);
        match closed {
            Closed::InOrder => tracing::debug!(%peer, "connection closed"),
            Closed::Lost(status) => tracing::debug!(%peer, %status, "connection lost"),
            Closed::Expelled => {
                let reason = self.connection.breach();
                tracing::info!(%peer, reason, "hung up on a client");
                shared.counters.connection_expelled();
            }
            Closed::Cut => tracing::debug!(%peer, "connection cut by the stop of the server"),
        }
        shared.counters.connection_ended(!in_order);
    }

    fn poll(
        &mut self,
        mut drain: Pin<&mut Wait<'_>>,
        mut abort: Pin<&mut Wait<'_>>,
        cx: &mut Context<'_>,
    ) -> Poll<Closed> {
        // The stop first: what it does must reach the socket in this turn.
        while let Some(action) = self.next_action(drain.as_mut(), abort.as_mut(), cx) {
            match action {
                Action::GoAway => self.connection.graceful_shutdown(self.leaving),
                Action::RefuseNew => self.connection.refuse_new(),
                Action::CancelHandlers => {
                    self.connection.refuse_new();
                    self.link.cut(STOPPED);
                }
                Action::Abrupt => self.connection.abrupt_shutdown(),
                Action::Close => return Poll::Ready(Closed::Cut),
                Action::Wait => {}
            }
            self.timer = Timer::new(self.sequence.wake());
        }
        loop {
            if self.has_leftovers() && self.patience > 0 {
                self.patience -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.patience = PATIENCE;
            match self.connection.poll_next(cx) {
                Poll::Ready(Some(Ok(stream))) => self.start(stream, cx),
                Poll::Ready(Some(Err(status))) => return Poll::Ready(self.lost(status)),
                Poll::Ready(None) if self.sequence.is_cut() => return Poll::Ready(Closed::Cut),
                Poll::Ready(None) => return Poll::Ready(Closed::InOrder),
                Poll::Pending => {
                    if let Some(watched) = &mut self.lifetime {
                        watched.sleep(&self.connection, cx);
                    }
                    if self.connection.at_rest() == Some(true) {
                        self.tasks.let_go();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// A client without calls may hang up as soon as it is told to, before our last words: then
    /// nothing is lost.
    fn lost(&self, status: Status) -> Closed {
        if self.sequence.is_cut() {
            Closed::Cut
        } else if self.connection.breach().is_some() {
            Closed::Expelled
        } else if self.sequence.is_running() || self.link.live_rpcs() > 0 {
            Closed::Lost(status)
        } else {
            Closed::InOrder
        }
    }

    /// What the stop asks for now. Two loads of a flag while there is none.
    fn next_action(
        &mut self,
        drain: Pin<&mut Wait<'_>>,
        abort: Pin<&mut Wait<'_>>,
        cx: &mut Context<'_>,
    ) -> Option<Action> {
        if self.sequence.is_running() && drain.poll(cx).is_ready() {
            return Some(self.sequence.drain(now()));
        }
        if self.sequence.has_grace() && abort.poll(cx).is_ready() {
            return Some(self.sequence.grace_over(now()));
        }
        if let Some(watched) = &mut self.lifetime
            && let Poll::Ready(ending) = watched.poll(cx)
        {
            return Some(self.outlived(ending));
        }
        if self.timer.poll_expired(cx).is_ready() {
            let has_streams = self.connection.has_streams();
            return Some(self.sequence.tick(now(), has_streams));
        }
        None
    }

    /// The connection's lifetime asks for its end. Where it ends already, nothing changes.
    fn outlived(&mut self, ending: Ending) -> Action {
        let peer = self.link.peer().address();
        tracing::debug!(%peer, ?ending, "the connection's lifetime is over");
        match ending {
            Ending::Age | Ending::Idle if self.sequence.is_running() => {
                self.leaving = if ending == Ending::Age {
                    "max_age"
                } else {
                    "max_idle"
                };
                self.sequence.drain(now())
            }
            Ending::Grace if self.sequence.has_grace() => {
                self.link.cut(TOO_OLD);
                self.sequence.grace_over(now())
            }
            Ending::Age | Ending::Idle | Ending::Grace => Action::Wait,
        }
    }

    /// Routes one request: to a handler's task, or to an answer at once.
    fn start(&self, mut stream: ServerStream, cx: &mut Context<'_>) {
        let fields = match stream.read_request(self.link.compression().registry()) {
            Ok(fields) => fields,
            Err(reject) => return self.reject(stream, &reject),
        };
        let routes = &self.link.shared.routes;
        let route = routes.methods.find(stream.path_octets());
        // Nearly always as it came, without a look at what it is made of.
        let route = route.or_else(|| routes.methods.find(stream.path().as_bytes()));
        let Some(route) = route else {
            let status = unknown(stream.path(), &routes.services);
            return self.reject(stream, &Reject::Status(status));
        };
        let deadline = self.link.deadline(fields.timeout);
        let link = Arc::clone(&self.link);
        let rpc = Rpc::new(route, stream, fields, deadline, link);
        let (handler, chain) = (&route.handler, route.chain.as_ref());
        match route.first_poll {
            FirstPoll::InTask => handler.spawn(rpc, chain, &self.tasks),
            FirstPoll::OnConnection => handler.start_inline(rpc, chain, cx),
        }
    }

    /// More RPCs than HTTP/2 lets the client have open: some are of streams that were reset, and
    /// wait for their turn to be dropped. They get it before more is taken on, so that a client
    /// which opens and resets streams does not pile up handlers.
    fn has_leftovers(&self) -> bool {
        let streams = self.link.shared.http2.max_concurrent_streams;
        usize::try_from(streams).is_ok_and(|streams| self.link.live_rpcs() > streams)
    }

    fn reject(&self, stream: ServerStream, reject: &Reject) {
        self.link.shared.counters.rejected();
        tracing::debug!(
            peer = %self.link.peer().address(),
            path = stream.path(),
            ?reject,
            "request rejected",
        );
        stream.reject(reject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a function returns, without calling it.
    const fn output<A, B, C, D, E, F>(_: &impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// It lives as long as the connection, which may do nothing for hours.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn the_task_of_a_connection_does_not_grow_unseen() {
        let task = output(&run);
        assert!(task <= 640, "{task}");
    }
}
