//! A server and one client's connection to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::uri::Authority;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use trunkline_core::{Code, FrameEncoder, Metadata, RawCodec, Status};
use trunkline_server::{Server, ServerBuilder, ServerHandle, ServerStats, StopReport};
use trunkline_transport::http2::{ClientConfig, ClientConnection, RequestHead, ServerConfig};
use trunkline_transport::memory::MemoryConnector;
use trunkline_transport::stream::{RecvHalf, SendHalf};
use trunkline_transport::{Address, Connector, Peer, memory};

use crate::service::{Service, State};

const LIMIT: usize = 64 << 20;

pub(crate) struct World {
    pub(crate) connector: MemoryConnector,
    pub(crate) client: ClientConnection,
    pub(crate) handle: ServerHandle,
    pub(crate) serving: JoinHandle<Result<(), Status>>,
    pub(crate) state: Arc<State>,
}

/// How a call is made.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) timeout: Option<Duration>,
    pub(crate) metadata: Metadata,
    pub(crate) subtype: &'static str,
}

impl Default for How {
    fn default() -> Self {
        Self {
            timeout: None,
            metadata: Metadata::new(),
            subtype: "",
        }
    }
}

pub(crate) fn within(timeout: Duration) -> How {
    How {
        timeout: Some(timeout),
        ..How::default()
    }
}

pub(crate) async fn world() -> World {
    world_with(1000, |builder| builder).await
}

pub(crate) async fn world_with(
    barrier: usize,
    configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> World {
    let (connector, listener) = memory::pair("test");
    let state = State::new(barrier);
    let builder = Server::insecure().add_service(Service(Arc::clone(&state)));
    let server = configure(builder).listen(listener).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let client = connect(&connector).await;
    World {
        connector,
        client,
        handle,
        serving,
        state,
    }
}

pub(crate) async fn connect(connector: &MemoryConnector) -> ClientConnection {
    let address = Address::Memory("test".into());
    let io = connector.connect(&address).await.unwrap();
    let config = ClientConfig::default();
    let freed = Arc::new(Notify::new());
    ClientConnection::handshake(io, Peer::new(address), &config, freed)
        .await
        .unwrap()
}

/// A server configuration that allows more streams than the default.
pub(crate) fn many_streams() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_concurrent_streams = 2_000;
    config
}

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    FrameEncoder::new(LIMIT)
        .encode(&Bytes::copy_from_slice(message), &RawCodec, &mut out)
        .unwrap();
    out.freeze()
}

fn with_head<R>(path: &'static str, how: &How, run: impl FnOnce(&RequestHead<'_>) -> R) -> R {
    run(&RequestHead {
        path,
        authority: &Authority::from_static("test"),
        subtype: how.subtype,
        encoding: None,
        accept_encoding: None,
        timeout: how.timeout,
        user_agent: &HeaderValue::from_static("tests/1"),
        metadata: &how.metadata,
    })
}

/// One request, sent whole.
pub(crate) fn single(
    client: &ClientConnection,
    path: &'static str,
    message: &[u8],
    how: &How,
) -> RecvHalf<Bytes> {
    try_single(client, path, message, how).unwrap()
}

/// The same on a connection that may be gone.
pub(crate) fn try_single(
    client: &ClientConnection,
    path: &'static str,
    message: &[u8],
    how: &How,
) -> Result<RecvHalf<Bytes>, Status> {
    let Some(permit) = client.try_permit() else {
        return Err(Status::unavailable("no permit"));
    };
    let stream = with_head(path, how, |head| {
        client.start_single(permit, head, frame(message), LIMIT)
    })?;
    Ok(RecvHalf::client(stream, Box::new(RawCodec)))
}

impl World {
    pub(crate) fn single(&self, path: &'static str, message: &str, how: &How) -> RecvHalf<Bytes> {
        single(&self.client, path, message.as_bytes(), how)
    }

    pub(crate) fn streaming(
        &self,
        path: &'static str,
        how: &How,
    ) -> (SendHalf<Bytes>, RecvHalf<Bytes>) {
        let permit = self.client.try_permit().unwrap();
        let halves = with_head(path, how, |head| {
            self.client.start_streaming(permit, head, LIMIT)
        });
        let (send, recv) = halves.unwrap();
        (
            SendHalf::client(send, Box::new(RawCodec), LIMIT),
            RecvHalf::client(recv, Box::new(RawCodec)),
        )
    }

    /// A unary call of `Call`.
    pub(crate) async fn call(&self, message: &str) -> Result<Bytes, Status> {
        only(&mut self.single(crate::service::CALL, message, &How::default())).await
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.handle.stats()
    }

    /// Waits until the server's counters say so.
    pub(crate) async fn until(&self, what: impl Fn(&ServerStats) -> bool) -> ServerStats {
        until(&self.handle, what).await
    }

    /// Ends it all, and makes sure that nothing is left.
    pub(crate) async fn end(self) -> StopReport {
        let stats = self
            .until(|stats| stats.live_rpcs + stats.live_children == 0)
            .await;
        assert_eq!(stats.live_rpcs, 0);
        drop(self.client);
        let report = self.handle.graceful_stop(Duration::from_secs(5)).await;
        self.serving.await.unwrap().unwrap();
        assert_quiet(&self.handle.stats());
        report
    }
}

pub(crate) fn assert_quiet(stats: &ServerStats) {
    assert_eq!(
        (
            stats.live_connections,
            stats.live_rpcs,
            stats.live_children,
            stats.live_listeners
        ),
        (0, 0, 0, 0),
        "{stats:?}"
    );
    // Each has ended in exactly one way.
    let ended = stats.rpcs_completed
        + stats.rpcs_cancelled
        + stats.rpcs_deadline_exceeded
        + stats.rpcs_stopped
        + stats.rpcs_panicked;
    assert_eq!(ended, stats.rpcs_started, "{stats:?}");
}

pub(crate) async fn until(
    handle: &ServerHandle,
    what: impl Fn(&ServerStats) -> bool,
) -> ServerStats {
    let waited = async {
        loop {
            let stats = handle.stats();
            if what(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap_or_else(|_| panic!("never: {:?}", handle.stats()))
}

/// The only response of a call.
pub(crate) async fn only(responses: &mut RecvHalf<Bytes>) -> Result<Bytes, Status> {
    let message = responses.recv().await?;
    assert_eq!(responses.recv().await?, None);
    Ok(message.expect("a message before OK"))
}

/// All responses of a call, and how it ended.
pub(crate) async fn all(responses: &mut RecvHalf<Bytes>) -> (Vec<Bytes>, Result<(), Status>) {
    let mut messages = Vec::new();
    loop {
        match responses.recv().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(status) => return (messages, Err(status)),
        }
    }
}

#[track_caller]
pub(crate) fn assert_status<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, text: &str) {
    let status = result.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(text), "{status}");
}
