//! How a channel is made.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use trunkline_core::protocol::USER_AGENT;
use trunkline_core::stats::StatsHandlers;
use trunkline_transport::credentials::{BoxCredentials, Insecure, TransportCredentials};
use trunkline_transport::http2::{ClientConfig, Keepalive};
use trunkline_transport::{BoxConnector, Connector, Proxy, TcpConfig};

use super::Channel;
use super::compression::{RequestCompression, Settings};
use super::error::ChannelError;
use super::route::{ProxyChoice, Route};
use super::snapshot::Shared;
use crate::balancer::AttemptDelay;
use crate::credentials::BoxCallCredentials;
use crate::interceptor::BoxInterceptor;
use crate::resolver::Target;
use crate::subchannel::{BackoffConfig, ConnectSettings, Progress};

/// Covers everything from the first SYN to the peer's SETTINGS. 20 s: the value of the gRPC
/// document "Connection Backoff".
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Four connections carry a thousand calls at the stream limits that servers commonly set.
const MAX_CONNECTIONS: usize = 4;

/// A channel that was of no use for half an hour will hardly be in the next minute: the default of
/// the other gRPC libraries.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The size that every gRPC library takes from a peer unless told otherwise.
const MAX_RECEIVE_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// What a channel was built with.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) authority: Authority,
    pub(crate) user_agent: HeaderValue,
    pub(crate) connect: ConnectSettings,
    pub(crate) backoff: BackoffConfig,
    pub(crate) attempt_delay: AttemptDelay,
    pub(crate) max_connections: usize,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_receive_message_bytes: usize,
    pub(crate) max_send_message_bytes: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait_for_ready: bool,
    pub(crate) transparent_retry: bool,
    pub(crate) call_credentials: Vec<BoxCallCredentials>,
    pub(crate) compression: RequestCompression,
    pub(crate) stats: StatsHandlers,
}

/// Sets a channel's options; made by [`Channel::builder`].
///
/// ```
/// use std::time::Duration;
/// use trunkline_client::Channel;
///
/// let channel = Channel::builder("dns:///greeter.example:50051")
///     .insecure()
///     .timeout(Duration::from_secs(5))
///     .user_agent("inventory/2.1")
///     .build()?;
/// # Ok::<(), trunkline_client::ChannelError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until .build()"]
pub struct ChannelBuilder {
    target: String,
    insecure: bool,
    credentials: Option<BoxCredentials>,
    route: Route,
    http2: ClientConfig,
    keepalive: Option<Keepalive>,
    backoff: BackoffConfig,
    attempt_delay: AttemptDelay,
    connect_timeout: Duration,
    max_connections: usize,
    idle_timeout: Option<Duration>,
    max_receive_message_bytes: usize,
    max_send_message_bytes: usize,
    timeout: Option<Duration>,
    wait_for_ready: bool,
    transparent_retry: bool,
    user_agent: Option<String>,
    authority: Option<String>,
    pub(super) interceptors: Vec<BoxInterceptor>,
    pub(super) call_credentials: Vec<BoxCallCredentials>,
    pub(super) stats: StatsHandlers,
    pub(super) compression: Settings,
}

impl ChannelBuilder {
    pub(super) fn new(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            insecure: false,
            credentials: None,
            route: Route::default(),
            http2: ClientConfig::default(),
            keepalive: None,
            backoff: BackoffConfig::default(),
            attempt_delay: AttemptDelay::default(),
            connect_timeout: CONNECT_TIMEOUT,
            max_connections: MAX_CONNECTIONS,
            idle_timeout: Some(IDLE_TIMEOUT),
            max_receive_message_bytes: MAX_RECEIVE_MESSAGE_BYTES,
            max_send_message_bytes: usize::MAX,
            timeout: None,
            wait_for_ready: false,
            transparent_retry: true,
            user_agent: None,
            authority: None,
            interceptors: Vec::new(),
            call_credentials: Vec::new(),
            compression: Settings::default(),
            stats: StatsHandlers::new(),
        }
    }

    /// Says that plaintext is meant: anybody on the way reads and changes what is sent.
    pub fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Secures each connection with these credentials, such as TLS.
    ///
    /// ```
    /// # #[cfg(feature = "tls")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use trunkline_client::Channel;
    /// use trunkline_transport::credentials::tls::ClientTls;
    ///
    /// let channel = Channel::builder("dns:///api.example.com")
    ///     .credentials(ClientTls::new()?)
    ///     .build()?;
    /// # drop(channel);
    /// # Ok(()) }
    /// # #[cfg(not(feature = "tls"))]
    /// # fn main() {}
    /// ```
    pub fn credentials(mut self, credentials: impl TransportCredentials) -> Self {
        self.credentials = Some(BoxCredentials::new(credentials));
        self
    }

    /// Reaches servers by way of this connector instead of TCP and Unix sockets.
    ///
    /// The credentials' handshake runs over what it makes, or none with
    /// [`insecure`](Self::insecure): say that too where the connector encrypts by itself.
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.route.connector = Some(BoxConnector::new(connector));
        self
    }

    /// Options of the TCP sockets. Of no use beside a [`connector`](Self::connector), which has
    /// its own.
    pub fn tcp(mut self, config: TcpConfig) -> Self {
        self.route.tcp = config;
        self
    }

    /// Reaches servers through this HTTP proxy, whatever the environment says. Unix sockets, and
    /// what [`Proxy::bypass`] names, are reached without it.
    ///
    /// Without this and [`no_proxy`](Self::no_proxy) the environment decides when the channel is
    /// built, as in the other gRPC libraries: `grpc_proxy`, `https_proxy` or `http_proxy` with
    /// the exceptions of `no_proxy`, never for this machine itself; the rules are at
    /// [`Proxy::from_environment`]. A channel with a [`connector`](Self::connector) has no proxy.
    ///
    /// The proxy looks the target's name up and sees no more than that; credentials such as TLS
    /// work end to end. Calls fail with UNAVAILABLE while the proxy cannot be reached or refuses;
    /// the text names it, and what it answered.
    ///
    /// ```
    /// use trunkline_client::Channel;
    /// use trunkline_transport::Proxy;
    ///
    /// let proxy = Proxy::new("http://proxy.corp.example:3128")?.basic_auth("me", "secret");
    /// let channel = Channel::builder("dns:///api.example.com:50051")
    ///     .insecure()
    ///     .proxy(proxy)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.route.proxy = ProxyChoice::Explicit(proxy);
        self
    }

    /// Reaches servers directly, whatever proxy the environment asks for.
    pub fn no_proxy(mut self) -> Self {
        self.route.proxy = ProxyChoice::Never;
        self
    }

    /// The local IP address that TCP connections come from, on a machine that has several.
    /// Default: the kernel chooses. Short for the field of [`TcpConfig`].
    pub const fn local_address(mut self, address: IpAddr) -> Self {
        self.route.tcp.local_address = Some(address);
        self
    }

    /// The most connections to one address. Default 4; 0 counts as 1.
    ///
    /// The second is opened when calls queue because the first is at the peer's stream limit.
    pub const fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = if count == 0 { 1 } else { count };
        self
    }

    /// How long the channel may be without calls until it closes its connections, stops resolving
    /// and goes IDLE; the next call connects again. Default 30 min; `None` for never. Less than 1 s
    /// counts as 1 s.
    ///
    /// An open stream is a call. It is noticed at most a sixth of the timeout late.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Bounds one connection attempt, from the first packet to the peer's HTTP/2 SETTINGS.
    /// Default 20 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an attempt at one address may take until the next address is tried beside it; the
    /// first that answers wins. Default 250 ms; kept within 100 ms to 2 s.
    ///
    /// Source: gRFC A61, RFC 8305 ("Happy Eyeballs").
    pub fn connection_attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = AttemptDelay::new(delay);
        self
    }

    /// How the wait between failed attempts grows.
    pub fn backoff(mut self, backoff: BackoffConfig) -> Self {
        self.backoff = backoff;
        self
    }

    /// Windows and limits of the HTTP/2 connections.
    pub fn http2(mut self, config: ClientConfig) -> Self {
        self.http2 = config;
        self
    }

    /// Asks a silent server for signs of life. Default: off.
    ///
    /// A connection whose server does not answer in time is closed; its calls end with UNAVAILABLE.
    /// Where a server says that it is asked too often, the channel's next connections wait twice
    /// as long. Goes before what [`http2`](Self::http2) says.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// The largest message taken from a server, in bytes. Default 4 MiB (4,194,304). Calls may
    /// choose their own.
    pub const fn max_receive_message_bytes(mut self, bytes: usize) -> Self {
        self.max_receive_message_bytes = bytes;
        self
    }

    /// The largest message sent to a server, in bytes. Default: only the protocol's 4 GiB. Calls
    /// may choose their own.
    pub const fn max_send_message_bytes(mut self, bytes: usize) -> Self {
        self.max_send_message_bytes = bytes;
        self
    }

    /// The timeout of calls that set neither a timeout nor a deadline. Default: none.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether calls wait for a connection when none can be made, unless they say so themselves.
    /// Default: no, they fail at once.
    pub const fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = wait;
        self
    }

    /// Whether a call that was sent, but surely not processed, is sent once more. Default: yes, as in
    /// the other gRPC libraries.
    ///
    /// Without it a server sees each call at most once, whatever it says of it: for proxies whose
    /// own callers repeat, and for judges and measurements. The failure then says
    /// [`is_unprocessed`](trunkline_core::Status::is_unprocessed). A call of which nothing was sent
    /// finds another connection all the same.
    /// Source: gRFC A6, "Transparent Retries".
    pub const fn transparent_retry(mut self, enabled: bool) -> Self {
        self.transparent_retry = enabled;
        self
    }

    /// What stands before trunkline's own name in `user-agent`.
    pub fn user_agent(mut self, prefix: impl Into<String>) -> Self {
        self.user_agent = Some(prefix.into());
        self
    }

    /// The `:authority` of all calls, which is also the name that a server has to prove over TLS.
    /// Default: host and port of the target.
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Builds the channel. Connects to nothing and needs no runtime.
    ///
    /// Errors: the target, authority or user agent is malformed; requests are to be compressed with
    /// what there is no compressor for; there are neither credentials nor the word `insecure`, or
    /// both; a `memory:` target came without a connector; there are both a connector and a proxy;
    /// the environment asks for a proxy that is none.
    pub fn build(self) -> Result<Channel, ChannelError> {
        let mut target = Target::parse(&self.target)?;
        let credentials = match (self.credentials, self.insecure) {
            (Some(credentials), false) => credentials,
            (None, true) => BoxCredentials::new(Insecure),
            (None, false) => return Err(ChannelError::NoCredentials),
            (Some(_), true) => return Err(ChannelError::InsecureCredentials),
        };
        let authority: Authority = match self.authority {
            Some(text) => text.parse().map_err(|_| ChannelError::Authority { text })?,
            None => target.authority.clone(),
        };
        let user_agent = match self.user_agent {
            Some(text) => HeaderValue::try_from(format!("{text} {USER_AGENT}"))
                .map_err(|_| ChannelError::UserAgent { text })?,
            None => HeaderValue::from_static(USER_AGENT),
        };
        let mut http2 = self.http2;
        if let Some(keepalive) = self.keepalive {
            http2.keepalive = keepalive;
        }
        let compression = self.compression.resolve()?;
        let (connector, proxy) = self.route.settle(&mut target.endpoint, &http2.keepalive)?;
        let config = Config {
            target,
            authority: authority.clone(),
            user_agent,
            connect: ConnectSettings {
                connector,
                proxy,
                credentials,
                authority,
                http2: http2.with_compression(compression.compression.clone()),
                timeout: self.connect_timeout,
                progress: Progress::default(),
            },
            backoff: self.backoff,
            attempt_delay: self.attempt_delay,
            max_connections: self.max_connections,
            idle_timeout: self.idle_timeout,
            max_receive_message_bytes: self.max_receive_message_bytes,
            max_send_message_bytes: self.max_send_message_bytes,
            timeout: self.timeout,
            wait_for_ready: self.wait_for_ready,
            transparent_retry: self.transparent_retry,
            call_credentials: self.call_credentials,
            compression,
            stats: self.stats,
        };
        let chain = (!self.interceptors.is_empty()).then(|| self.interceptors.into());
        Ok(Channel(Arc::new(Shared::new(config)), chain))
    }
}

#[cfg(test)]
mod tests;
