//! Our server against a client that the test plays, and what its handlers saw.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use trunkline::server::{
    self, RequestContext, ServerBuilder, ServerHandle, ServerKeepalive, ServerStats,
};
use trunkline::transport::http2::ServerConfig;
use trunkline::transport::memory::{self, MemoryConnector};
use trunkline::transport::{Address, BoxIo, Connector};
use trunkline::{Response, Server, Status};
use trunkline_test_protos::echo::{Echo, EchoServer, Note};

use super::{LIMIT, Over, Peer, within};

/// A server of ours with the Echo service.
pub(crate) struct Served {
    door: Door,
    pub(crate) handle: ServerHandle,
    heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<Result<(), Status>>,
}

/// The metadata that `once` sends back.
pub(crate) const RETURNED: &str = "x-returned";

/// How its clients reach it.
enum Door {
    Memory(MemoryConnector),
    Tcp(Address),
}

/// What a handler got from its client.
#[derive(Debug)]
pub(crate) enum Heard {
    /// `expand` was called off while it answered.
    Dropped,
    Message(Note),
    /// `recv` gave `None`: the client says that this was all.
    End,
    Failed(Status),
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn configured(config: ServerConfig) -> Self {
        Self::with(|builder| builder.http2(config))
    }

    pub(crate) fn with(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (connector, listener) = memory::pair("served");
        let (builder, heard) = witnessed();
        let server = configure(builder).listen(listener).unwrap();
        Self::run(Door::Memory(connector), server, heard)
    }

    /// Reached in this way.
    pub(crate) async fn over(over: Over) -> Self {
        Self::over_with(over, |builder| builder).await
    }

    /// The same, configured.
    pub(crate) async fn over_with(
        over: Over,
        configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        match over {
            Over::Memory => Self::with(configure),
            Over::Tcp => {
                let (builder, heard) = witnessed();
                let server = configure(builder).bind("127.0.0.1:0").await.unwrap();
                let door = Door::Tcp(server.local_address().clone());
                Self::run(door, server, heard)
            }
        }
    }

    fn run(door: Door, server: Server, heard: mpsc::UnboundedReceiver<Heard>) -> Self {
        Self {
            door,
            handle: server.handle(),
            heard,
            task: tokio::spawn(server.serve()),
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> Peer {
        Peer::client(self.connect_io().await).await
    }

    /// The same, with nothing said yet.
    pub(crate) async fn connect_io(&self) -> BoxIo {
        let address = Address::Memory("served".into());
        let connected = async {
            match &self.door {
                Door::Memory(connector) => connector.connect(&address).await.unwrap(),
                Door::Tcp(address) => {
                    let stream = TcpStream::connect(address.to_string()).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    BoxIo::new(stream)
                }
            }
        };
        within("the server to accept", connected).await
    }

    /// What a handler saw next.
    pub(crate) async fn heard(&mut self) -> Heard {
        within("a handler to hear something", self.heard.recv())
            .await
            .unwrap()
    }

    /// Whether any handler saw anything that was not asked for.
    pub(crate) fn heard_nothing_more(&mut self) -> bool {
        self.heard.try_recv().is_err()
    }

    /// What a handler has seen by now, if there is more.
    pub(crate) fn heard_already(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    /// Waits until the counters are as wanted.
    pub(crate) async fn until(&self, wanted: &str, ready: impl Fn(&ServerStats) -> bool) {
        let end = tokio::time::Instant::now() + LIMIT;
        while !ready(&self.handle.stats()) {
            let stats = self.handle.stats();
            assert!(
                tokio::time::Instant::now() < end,
                "in vain for {wanted}: {stats:?}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The leak check: with its clients gone, no connection, RPC or child is left, and the server
    /// stops at once.
    pub(crate) async fn end(self) {
        self.until("no live connection, RPC or child", |stats| {
            stats.live_connections + stats.live_rpcs + stats.live_children == 0
        })
        .await;
        within(
            "the server to stop",
            self.handle.graceful_stop(Duration::ZERO),
        )
        .await;
        let stats = self.handle.stats();
        assert_eq!(stats.live_listeners, 0, "{stats:?}");
        within("serve() to return", self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Clients may send PINGs as they like: a peer that a test plays asks by them whether it was heard.
pub(crate) fn patient() -> ServerKeepalive {
    let mut keepalive = ServerKeepalive::default();
    keepalive.permit_time = Duration::ZERO;
    keepalive.permit_without_calls = true;
    keepalive
}

fn witnessed() -> (ServerBuilder, mpsc::UnboundedReceiver<Heard>) {
    let (tell, heard) = mpsc::unbounded_channel();
    let builder = Server::insecure().add_service(EchoServer::new(Witness(tell)));
    let builder = builder.keepalive(patient());
    (builder, heard)
}

/// Echoes, and tells the test what it hears.
struct Witness(mpsc::UnboundedSender<Heard>);

impl Witness {
    fn tell(&self, heard: Heard) {
        // The test may be over.
        let _ = self.0.send(heard);
    }

    /// Receives and tells; after a failure once more, because it has to stay the same.
    async fn next(&self, requests: &mut server::Receiver<Note>) -> Result<Option<Note>, Status> {
        let received = requests.recv().await;
        self.tell(match &received {
            Ok(Some(note)) => Heard::Message(note.clone()),
            Ok(None) => Heard::End,
            Err(status) => Heard::Failed(status.clone()),
        });
        if let Err(status) = &received {
            let again = requests.recv().await.expect_err("errors are sticky");
            assert_eq!(again.to_string(), status.to_string());
        }
        received
    }
}

/// Tells of a handler that did not come to its end.
struct Watch<'a>(Option<&'a mpsc::UnboundedSender<Heard>>);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(tell) = self.0 {
            let _ = tell.send(Heard::Dropped);
        }
    }
}

impl Echo for Witness {
    async fn once(&self, cx: &RequestContext, request: Note) -> Result<Response<Note>, Status> {
        self.tell(Heard::Message(request.clone()));
        let mut response = Response::from(request);
        if let Some(value) = cx.metadata().get(RETURNED) {
            response.headers_mut().insert(RETURNED, value)?;
        }
        Ok(response)
    }

    async fn expand(
        &self,
        _: &RequestContext,
        request: Note,
        mut responses: server::Sender<Note>,
    ) -> Result<(), Status> {
        self.tell(Heard::Message(request.clone()));
        let mut watch = Watch(Some(&self.0));
        for number in 0..request.number {
            let each = Note {
                number,
                ..request.clone()
            };
            responses.send(&each).await?;
        }
        watch.0 = None;
        Ok(())
    }

    async fn collect(
        &self,
        _: &RequestContext,
        mut requests: server::Receiver<Note>,
    ) -> Result<Response<Note>, Status> {
        let mut all = Note::default();
        while let Some(request) = self.next(&mut requests).await? {
            all.text.push_str(&request.text);
            all.number += request.number;
        }
        Ok(all.into())
    }

    async fn chat(
        &self,
        _: &RequestContext,
        mut requests: server::Receiver<Note>,
        mut responses: server::Sender<Note>,
    ) -> Result<(), Status> {
        while let Some(request) = self.next(&mut requests).await? {
            if let Err(status) = responses.send(&request).await {
                self.tell(Heard::Failed(status.clone()));
                return Err(status);
            }
        }
        Ok(())
    }
}
