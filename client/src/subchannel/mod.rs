//! One address and the connections to it.

mod backoff;
mod connections;
mod progress;
mod state;

use std::time::{Duration, Instant};

use http::uri::Authority;
use trunkline_core::{Code, Origin, Stage, Status};
use trunkline_transport::credentials::{BoxCredentials, Secured, TransportCredentials};
use trunkline_transport::http2::{ClientConfig, ClientConnection};
use trunkline_transport::{Address, BoxConnector, Peer, Proxy, connect_error};

pub(crate) use backoff::Backoff;
pub use backoff::BackoffConfig;
pub(crate) use connections::{ConnectionId, Connections};
pub(crate) use progress::Progress;
pub(crate) use state::{Machine, State};

/// Names one subchannel of a channel for as long as the channel lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SubchannelId(pub(crate) u32);

/// An address, the state machine of reaching it, and the connections it has.
#[derive(Debug)]
pub(crate) struct Subchannel {
    pub(crate) address: Address,
    pub(crate) machine: Machine,
    pub(crate) connections: Connections<ClientConnection>,
}

impl Subchannel {
    pub(crate) fn new(address: Address, max_connections: usize, backoff: &BackoffConfig) -> Self {
        Self {
            address,
            machine: Machine::new(backoff.clone()),
            connections: Connections::new(max_connections, backoff.clone()),
        }
    }

    /// When time alone changes something.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match (self.machine.wake_at(), self.connections.wake_at()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// What every connection attempt of a channel needs.
#[derive(Clone, Debug)]
pub(crate) struct ConnectSettings {
    pub(crate) connector: BoxConnector,
    /// What the connector goes through, for errors.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) credentials: BoxCredentials,
    /// The name that the server has to prove: the `:authority` of the calls.
    pub(crate) authority: Authority,
    pub(crate) http2: ClientConfig,
    pub(crate) timeout: Duration,
    pub(crate) progress: Progress,
}

/// One attempt: a byte stream, the handshake of the credentials, then HTTP/2 up to the peer's
/// SETTINGS, all under one timeout.
///
/// Errors: UNAVAILABLE whose text names address, stage and cause.
pub(crate) async fn connect(
    settings: &ConnectSettings,
    address: &Address,
    freed: std::sync::Arc<tokio::sync::Notify>,
) -> Result<ClientConnection, Status> {
    let mut stage = Stage::Connect;
    let progress = &settings.progress;
    progress.reached(stage);
    let attempt = async {
        let io = settings.connector.connect(address).await;
        let io = io.map_err(|error| connect_error(error, address))?;
        stage = Stage::Tls;
        progress.reached(stage);
        let authority = settings.authority.as_str();
        let secured = settings.credentials.client_handshake(io, authority).await;
        let Secured { io, security, .. } = secured.map_err(|why| not_secured(why, address))?;
        stage = Stage::Http2;
        progress.reached(stage);
        let peer = Peer::new(address.clone()).with_security(security);
        ClientConnection::handshake(io, peer, &settings.http2, freed).await
    };
    let result = tokio::time::timeout(settings.timeout, attempt).await;
    result.unwrap_or_else(|_elapsed| Err(too_slow(settings, address, stage)))
}

/// Nothing was sent over a connection that could not be secured.
fn not_secured(why: Status, address: &Address) -> Status {
    why.context(address)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Tls)
        .with_unprocessed(true)
}

fn too_slow(settings: &ConnectSettings, address: &Address, stage: Stage) -> Status {
    let timeout = settings.timeout;
    let proxy = settings.proxy.as_ref();
    let through = match proxy.filter(|proxy| proxy.carries_address(address)) {
        Some(proxy) => format!(" through the proxy {proxy}"),
        None => String::new(),
    };
    let what = match stage {
        Stage::Tls => "the peer accepted the connection but did not finish the TLS handshake",
        Stage::Http2 => "the peer accepted the connection but sent no HTTP/2 SETTINGS",
        _ => "no connection",
    };
    Status::new(
        Code::Unavailable,
        format!("{address}: {what}{through} within {timeout:?} (the channel's connect_timeout)"),
    )
    .with_origin(Origin::Transport)
    .with_stage(stage)
    .with_unprocessed(true)
}
