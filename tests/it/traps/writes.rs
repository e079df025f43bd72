//! One write per wake: answers and requests that are ready together leave together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Barrier;
use trunkline::Channel;
use trunkline::server::ServerHandle;
use trunkline::transport::memory::{self, MemoryConnector, MemoryListener};
use trunkline::transport::{Address, BoxIo, Connector, Listener};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, number, scripted};
use crate::support::{Peer, Wire, last_data, note, request, text, within};

const CALLS: usize = 200;

/// Of a size that h2 by itself flushes at once.
const WORDS: &str = "something of more than two hundred and fifty-six bytes, because the h2 crate \
    flushes its socket after every DATA frame that is as long as that, which would make it one \
    write for each of the messages that are ready at the same time; that is what these tests are \
    about, after all";

/// Counts how often something is written. The kernel would be asked as often.
struct Counted(BoxIo, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct CountedListener(MemoryListener, Arc<AtomicUsize>);

impl Listener for CountedListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        let (io, address) = self.0.accept().await?;
        Ok((BoxIo::new(Counted(io, Arc::clone(&self.1))), address))
    }

    fn address(&self) -> Address {
        self.0.address()
    }
}

struct CountedConnector(MemoryConnector, Arc<AtomicUsize>);

impl Connector for CountedConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let io = self.0.connect(to).await?;
        Ok(BoxIo::new(Counted(io, Arc::clone(&self.1))))
    }
}

/// Answers unary calls together, once the last of a round has come.
fn together() -> Scripted {
    let gate = Arc::new(Barrier::new(CALLS));
    Scripted::default().once(move |_, request| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.wait().await;
            Ok(request.into())
        })
    })
}

struct Shop {
    channel: EchoClient,
    connector: MemoryConnector,
    server: ServerHandle,
    server_writes: Arc<AtomicUsize>,
    client_writes: Arc<AtomicUsize>,
}

fn shop() -> Shop {
    let (connector, listener) = memory::pair("counted");
    let (server_writes, client_writes) = (Arc::default(), Arc::default());
    let listener = CountedListener(listener, Arc::clone(&server_writes));
    let server = scripted(together()).listen(listener).unwrap();
    let handle = server.handle();
    tokio::spawn(server.serve());
    let counted = CountedConnector(connector.clone(), Arc::clone(&client_writes));
    let channel = Channel::builder("memory:counted")
        .insecure()
        .connector(counted)
        .max_connections(1);
    Shop {
        channel: EchoClient::new(channel.build().unwrap()),
        connector,
        server: handle,
        server_writes,
        client_writes,
    }
}

/// Two rounds of calls that are answered together; the writes of the second on either side.
async fn round() -> (usize, usize) {
    let shop = shop();
    let mut before = (0, 0);
    for _ in 0..2 {
        before = (
            shop.server_writes.load(Ordering::Relaxed),
            shop.client_writes.load(Ordering::Relaxed),
        );
        let calls =
            (0..CALLS).map(|_| tokio::spawn(shop.channel.once(text(WORDS)).owned().into_future()));
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(within("a reply", call).await.unwrap().unwrap().text, WORDS);
        }
    }
    assert_eq!(shop.server.stats().connections_accepted, 1);
    (
        shop.server_writes.load(Ordering::Relaxed) - before.0,
        shop.client_writes.load(Ordering::Relaxed) - before.1,
    )
}

#[tokio::test]
async fn calls_that_are_ready_together_share_writes() {
    let (server, client) = round().await;
    assert!(server <= CALLS / 10, "{server} writes for {CALLS} answers");
    assert!(client <= CALLS / 10, "{client} writes for {CALLS} requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_do_those_of_several_threads() {
    let (server, client) = round().await;
    assert!(server <= CALLS / 2, "{server} writes for {CALLS} answers");
    assert!(client <= CALLS / 2, "{client} writes for {CALLS} requests");
}

#[tokio::test]
async fn messages_that_are_ready_together_share_writes_and_frames() {
    let shop = shop();
    let mut received = shop.channel.expand(number(1)).await.unwrap();
    while received.recv().await.unwrap().is_some() {}
    let before = shop.server_writes.load(Ordering::Relaxed);
    let messages = 10_000;
    let mut received = shop.channel.expand(number(messages)).await.unwrap();
    for expected in 0..messages {
        let next = within(expected, received.recv()).await.unwrap();
        assert_eq!(next.unwrap().number, expected);
    }
    assert_eq!(received.recv().await.unwrap(), None);
    let writes = shop.server_writes.load(Ordering::Relaxed) - before;
    assert!(writes <= 200, "{writes} writes for {messages} messages");
}

/// From the raw side: answers to requests that came in one packet.
#[tokio::test]
async fn a_packet_of_requests_is_answered_by_few() {
    let shop = shop();
    let io = shop
        .connector
        .connect(&Address::Memory("counted".into()))
        .await
        .unwrap();
    let mut peer = Peer::client(io).await;
    let mut packet = Wire::default();
    let streams = || (0..CALLS as u32).map(|number| 1 + 2 * number);
    for stream in streams() {
        let head = Wire::from(request(stream, "/tests.echo.Echo/Once"));
        packet = packet.and(head).and(last_data(stream, note(WORDS)));
    }
    peer.send(packet).await;
    for stream in streams() {
        assert_eq!(peer.expect_end(stream).await.code(), Some(0));
    }
    let writes = shop.server_writes.load(Ordering::Relaxed);
    assert!(writes <= CALLS / 10, "{writes} writes for {CALLS} answers");
}
