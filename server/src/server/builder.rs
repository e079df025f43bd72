//! From settings to a server with its listeners bound.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::{ToSocketAddrs, lookup_host};
use trunkline_core::stats::{StatsHandler, StatsHandlers};
use trunkline_core::{CompressorRegistry, Status};
use trunkline_transport::credentials::{BoxCredentials, Insecure, TransportCredentials};
use trunkline_transport::http2::{ServerConfig, ServerKeepalive};
use trunkline_transport::{BoxListener, Listener, TcpConfig, TcpListener};

use super::accept::Door;
use super::{Limits, Server, Shared};
use crate::compression::{ResponseCompression, Settings};
use crate::handler::GrpcService;
use crate::interceptor::{BoxInterceptor, Interceptor};
use crate::router::Router;

/// Configures a [`Server`].
#[must_use = "a builder does nothing until it is bound"]
#[derive(Debug, Default)]
pub struct ServerBuilder {
    router: Router,
    listeners: Vec<(BoxListener, Option<BoxCredentials>)>,
    insecure: bool,
    credentials: Option<BoxCredentials>,
    tcp: TcpConfig,
    http2: ServerConfig,
    keepalive: Option<ServerKeepalive>,
    limits: Limits,
    interceptors: Vec<BoxInterceptor>,
    stats: StatsHandlers,
    compression: Settings,
    workers: Option<usize>,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Serves plaintext. Without it a server refuses to start: nothing is readable on the network
    /// that the code does not say is.
    pub const fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Secures each connection with these credentials, such as TLS: those of every listener that
    /// was not given [its own](Self::listener_with).
    pub fn credentials(mut self, credentials: impl TransportCredentials) -> Self {
        self.credentials = Some(BoxCredentials::new(credentials));
        self
    }

    /// Adds a service. Adding the same name twice fails when the server is bound.
    pub fn add_service(mut self, service: impl GrpcService) -> Self {
        self.router = self.router.add_service(service);
        self
    }

    /// Adds all services of a router.
    pub fn router(mut self, router: Router) -> Self {
        self.router = self.router.merge(router);
        self
    }

    /// Surrounds every RPC of the server; the first one added is the outermost.
    ///
    /// Those of one service are inside of these: see [`BoxService::intercept`](crate::BoxService::intercept).
    pub fn intercept(self, interceptor: impl Interceptor) -> Self {
        self.intercept_all([interceptor.boxed()])
    }

    /// Surrounds every RPC of the server by interceptors from a list that was made at run time.
    pub fn intercept_all(mut self, list: impl IntoIterator<Item = BoxInterceptor>) -> Self {
        self.interceptors.extend(list);
        self
    }

    /// Tells this handler of connections and RPCs, beside those that were given before.
    ///
    /// Of RPCs means those that found their method; requests rejected before that are counted by
    /// [`ServerStats::requests_rejected`](crate::ServerStats::requests_rejected).
    /// Without handlers nothing is measured and nothing paid.
    pub fn stats_handler(mut self, handler: impl StatsHandler) -> Self {
        self.stats.add(handler);
        self
    }

    /// Adds a listener to those that [`bind`](Self::bind) or [`listen`](Self::listen) adds, secured
    /// as they are.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.push((BoxListener::new(listener), None));
        self
    }

    /// Adds a listener with credentials of its own, whatever those of the others are.
    ///
    /// So one server has TLS on TCP, and beside it a Unix socket, or a port of the loopback
    /// interface, in plaintext: only because [`Insecure`] says so, and only there. Or it asks
    /// clients for certificates on one port and not on the other. Handlers tell the connections
    /// apart by [`Peer::security`](trunkline_transport::Peer::security) and
    /// [`Peer::address`](trunkline_transport::Peer::address): every listener leads to every
    /// service.
    ///
    /// ```no_run
    /// # #[cfg(all(unix, feature = "tls"))]
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use trunkline_server::Server;
    /// use trunkline_transport::UnixListener;
    /// use trunkline_transport::credentials::Insecure;
    /// use trunkline_transport::credentials::tls::{Identity, ServerTls};
    ///
    /// let tls = ServerTls::new(Identity::from_files("server.pem", "server.key")?)?;
    /// let local = UnixListener::bind("/run/greeter.sock").await?;
    /// let server = Server::builder()
    ///     .credentials(tls)
    ///     .listener_with(local, Insecure)
    ///     .bind("0.0.0.0:443")
    ///     .await?;
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    pub fn listener_with(
        mut self,
        listener: impl Listener,
        credentials: impl TransportCredentials,
    ) -> Self {
        let own = Some(BoxCredentials::new(credentials));
        self.listeners.push((BoxListener::new(listener), own));
        self
    }

    /// Options of the TCP sockets that [`bind`](Self::bind) opens and accepts. A listener of your
    /// own has its own.
    pub fn tcp(mut self, config: TcpConfig) -> Self {
        self.tcp = config;
        self
    }

    /// Settings of HTTP/2: windows, streams at once, the handshake's timeout.
    pub fn http2(mut self, config: ServerConfig) -> Self {
        self.http2 = config;
        self
    }

    /// The largest request message. Units: bytes of the message itself. Default 4 MiB.
    ///
    /// A larger one ends its RPC with RESOURCE_EXHAUSTED before it is read.
    pub const fn max_receive_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_receive_message_bytes = bytes;
        self
    }

    /// The largest response message. Units: bytes of the message itself. Default: no limit but
    /// gRPC's own of 4 GiB.
    pub const fn max_send_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_send_message_bytes = bytes;
        self
    }

    /// The longest that any RPC may take, whatever deadline its client set, or if it set none.
    /// Default: no limit.
    ///
    /// Then the handler and its children are dropped, and the client is told DEADLINE_EXCEEDED,
    /// after what was sent before. This bounds the handler's time, not the client's: what it has
    /// not read yet is kept, and its place among the connection's streams with it, until it reads
    /// or resets the stream, its connection ends, or a stop's grace is over. That is as much as a
    /// handler leaves that returns: 32 KiB and one message per stream, or what was fed.
    pub const fn max_timeout(mut self, limit: Duration) -> Self {
        self.limits.max_timeout = Some(limit);
        self
    }

    /// Compresses responses. Default: off.
    /// ```
    /// # #[cfg(feature = "gzip")] {
    /// use trunkline_server::{ResponseCompression, Server};
    ///
    /// let server = Server::insecure().compression(ResponseCompression::prefer(["gzip"]));
    /// # }
    /// ```
    pub fn compression(mut self, responses: ResponseCompression) -> Self {
        self.compression.responses = responses;
        self
    }

    /// Responses shorter than this are sent as they are where responses are compressed. Units:
    /// bytes of the message. Default 1 KiB: what is shorter gains less than its compression costs.
    pub const fn compression_min_bytes(mut self, bytes: usize) -> Self {
        self.compression.min_bytes = bytes;
        self
    }

    /// The compressors that the server has: for requests, which may be compressed with any of them,
    /// and for responses. Default: those of the features.
    pub fn compressors(mut self, registry: CompressorRegistry) -> Self {
        self.compression.compressors = registry;
        self
    }

    /// Serves connections on so many threads of the server's own, each with a runtime for itself;
    /// 0 is one thread for each processor. Default: none, connections are served by the runtime
    /// that [`serve`](Server::serve) runs on.
    ///
    /// A connection stays on its thread, with everything that is called on it: no task wakes one on
    /// another processor, which is what a multi-threaded runtime spends much of its time on. It
    /// pays where there are many more connections than threads. New ones go to the thread that has
    /// the fewest; nothing moves later, so that a few busy connections may leave a thread idle, and
    /// a handler that blocks its thread stops all connections on it. Handlers find themselves on a
    /// runtime of tokio's `current_thread` flavour: `tokio::spawn` stays on the thread, and
    /// `block_in_place` is not available. The threads end with the server.
    ///
    /// ```
    /// use trunkline_server::Server;
    ///
    /// let server = Server::insecure().workers(0);
    /// ```
    pub const fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads);
        self
    }

    /// Connections at once; one more is closed as soon as it is accepted. Default 10,000.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = connections;
        self
    }

    /// When silent clients are asked for a sign of life. Default: after 2 h, with 20 s to answer.
    ///
    /// A connection whose client does not answer is closed, and its handlers are cancelled. Goes
    /// before what [`http2`](Self::http2) says.
    pub const fn keepalive(mut self, keepalive: ServerKeepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// How long a connection may live until its client is told to make another one, give or take a
    /// tenth at random. Default: no limit.
    ///
    /// Calls notice nothing: those that run go on, the next ones go to the new connection. Spreads
    /// long-lived clients over servers that were added, and leads them away from a name's old
    /// addresses.
    pub const fn max_connection_age(mut self, age: Duration) -> Self {
        self.limits.lifetime.max_age = Some(age);
        self
    }

    /// How long calls may go on after [`max_connection_age`](Self::max_connection_age). Then their
    /// handlers are dropped, and clients are told UNAVAILABLE. Default: as long as they like.
    pub const fn max_connection_age_grace(mut self, grace: Duration) -> Self {
        self.limits.lifetime.max_age_grace = Some(grace);
        self
    }

    /// How long a connection may be without a call until it is closed. Default: no limit.
    pub const fn max_connection_idle(mut self, idle: Duration) -> Self {
        self.limits.lifetime.max_idle = Some(idle);
        self
    }

    /// Binds a TCP address and makes the server. Port 0 asks for a free port, see
    /// [`Server::local_address`].
    ///
    /// Of several addresses, which a name may resolve to, the first that can be bound is taken.
    ///
    /// Errors: UNAVAILABLE when nothing can be bound, where the text names each address with its
    /// own cause; those of [`listen`](Self::listen).
    /// Dropping the future leaves nothing bound.
    pub async fn bind(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Server, Status> {
        let keepalive = self.keepalive.as_ref().unwrap_or(&self.http2.keepalive);
        let tcp = with_user_timeout(self.tcp.clone(), keepalive);
        let listener = bind(address, &tcp).await?;
        self.listen(listener)
    }

    /// Makes the server on a listener of any kind.
    ///
    /// Errors: ALREADY_EXISTS names a service that was added twice; NOT_FOUND a method that its
    /// service has no handler for, or an encoding that responses are to have and that is not among
    /// the [`compressors`](Self::compressors); FAILED_PRECONDITION names the address for which
    /// nobody gave [`credentials`](Self::credentials) or said [`insecure`](Self::insecure), or for
    /// which both was done; INVALID_ARGUMENT tells what is wrong with a set of descriptors that
    /// reflection was given.
    pub fn listen(self, listener: impl Listener) -> Result<Server, Status> {
        let address = listener.address();
        let credentials = match (self.credentials, self.insecure) {
            (Some(credentials), false) => credentials,
            (None, true) => BoxCredentials::new(Insecure),
            (None, false) => {
                return Err(Status::failed_precondition(format!(
                    "no credentials for {address}: give `.credentials(...)`, or say \
                     `.insecure()` if plaintext is meant",
                )));
            }
            (Some(_), true) => {
                return Err(Status::failed_precondition(format!(
                    "{address} has credentials and is `.insecure()` too: leave one of them out",
                )));
            }
        };
        let routes = self.router.into_routes(&self.interceptors)?;
        let mut http2 = self.http2;
        if let Some(keepalive) = self.keepalive {
            http2.keepalive = keepalive;
        }
        let compression = self.compression.resolve()?;
        let shared = Shared::new(routes, http2, self.limits, self.stats, compression);
        let others = self.listeners.into_iter().map(|(listener, own)| Door {
            listener,
            credentials: own.unwrap_or_else(|| credentials.clone()),
        });
        let others = others.collect();
        let last = Door {
            listener: BoxListener::new(listener),
            credentials,
        };
        Ok(Server::new(last, others, self.workers, shared))
    }
}

/// What keepalive gives a PING, the kernel gives data: a client that is gone is given up as soon
/// while something is sent to it, when PINGs would queue behind it. Source: gRFC A18.
fn with_user_timeout(mut tcp: TcpConfig, keepalive: &ServerKeepalive) -> TcpConfig {
    if keepalive.time.is_some() {
        tcp.user_timeout.get_or_insert(keepalive.timeout);
    }
    tcp
}

/// Listens on the first address that can be bound.
async fn bind(
    address: impl ToSocketAddrs + fmt::Debug,
    tcp: &TcpConfig,
) -> Result<TcpListener, Status> {
    // What was asked for, for a name that leads to no address.
    let asked = format!("{address:?}");
    let candidates = match lookup_host(address).await {
        Ok(candidates) => candidates,
        Err(error) => return Err(cannot_listen(&format!("on {asked}: {error}"), error)),
    };
    let mut failures = String::new();
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "it resolves to no address");
    for candidate in candidates {
        match TcpListener::bind_with(candidate, tcp.clone()).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let and = if failures.is_empty() { "" } else { "; " };
                failures.push_str(&format!("{and}on {candidate}: {error}"));
                last = error;
            }
        }
    }
    if failures.is_empty() {
        failures = format!("on {asked}: {last}");
    }
    Err(cannot_listen(&failures, last))
}

pub(super) fn cannot_listen(failures: &str, last: io::Error) -> Status {
    Status::unavailable(format!("cannot listen {failures}")).with_source(last)
}
