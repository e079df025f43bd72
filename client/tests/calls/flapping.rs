//! Peers that take connections only to close them: backoff goes on, and calls learn why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use trunkline_client::{Channel, ChannelBuilder};
use trunkline_core::{Code, Stage};
use trunkline_transport::memory::{self, MemoryListener};
use trunkline_transport::{Address, BoxConnector, BoxIo, Connector, Listener};

use super::support::{One, bytes, pair};

const SECOND: Duration = Duration::from_secs(1);

/// SETTINGS that allow no stream at all.
const NO_STREAMS: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0];
/// SETTINGS that leave everything at its default.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY: no stream was processed, NO_ERROR.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;

/// Counts the connections that it makes and closes: after SETTINGS, or after the first HEADERS.
fn flapping(mut listener: MemoryListener, settings: &'static [u8]) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(flap(io, settings));
        }
    });
    connections
}

async fn flap(mut io: BoxIo, settings: &[u8]) -> Option<()> {
    io.read_exact(&mut [0; 24]).await.ok()?;
    io.write_all(settings).await.ok()?;
    let mut called = settings == NO_STREAMS;
    while !called {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        io.read_exact(&mut vec![0; length]).await.ok()?;
        called = head[3] == HEADERS;
    }
    // Later than the client's READY.
    tokio::time::sleep(SECOND / 1_000).await;
    io.write_all(&GOAWAY).await.ok()
}

fn channel() -> (ChannelBuilder, MemoryListener) {
    let (connector, listener) = memory::pair("peer");
    (
        Channel::builder("memory:peer")
            .insecure()
            .connector(connector),
        listener,
    )
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_right_after_settings_is_backed_off_from() {
    let (builder, listener) = channel();
    let channel = builder.build().unwrap();
    let connections = flapping(listener, &NO_STREAMS);
    let call = channel.unary::<One>(bytes("x")).wait_for_ready(true);
    let status = call.timeout(60 * SECOND).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let text = status.to_string();
    assert!(
        text.contains("attempt(s) failed, the last with: "),
        "{text}"
    );
    assert!(text.contains("lost as soon as it was ready"), "{text}");
    let count = connections.load(Ordering::Relaxed);
    assert!((6..=20).contains(&count), "{count} connections");
}

#[tokio::test(start_paused = true)]
async fn a_fail_fast_call_ends_when_the_peer_closes_right_after_settings() {
    let (builder, listener) = channel();
    let channel = builder.build().unwrap();
    let connections = flapping(listener, &NO_STREAMS);
    let call = channel.unary::<One>(bytes("x")).timeout(60 * SECOND);
    let status = call.await.unwrap_err();
    assert_eq!(
        (status.code(), status.stage()),
        (Code::Unavailable, Some(Stage::Http2))
    );
    assert!(status.is_unprocessed());
    let text = status.to_string();
    let prefix = "UNAVAILABLE: /test.T/One: http2: lost as soon as it was ready: connection closed by \
                  memory:peer with GOAWAY NO_ERROR";
    assert!(text.starts_with(prefix), "{text}");
    let count = connections.load(Ordering::Relaxed);
    assert!(count <= 5, "{count} connections");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_refuses_every_first_call_is_backed_off_from() {
    let (builder, listener) = channel();
    let channel = builder.build().unwrap();
    let connections = flapping(listener, &SETTINGS);
    let end = Instant::now() + 60 * SECOND;
    while Instant::now() < end {
        let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        tokio::time::sleep(SECOND / 100).await;
    }
    let count = connections.load(Ordering::Relaxed);
    assert!((6..=20).contains(&count), "{count} connections");
}

/// Both addresses lead to the same peer.
struct Any(BoxConnector);

impl Connector for Any {
    async fn connect(&self, _: &Address) -> std::io::Result<BoxIo> {
        self.0.connect(&Address::Memory("peer".into())).await
    }
}

#[tokio::test(start_paused = true)]
async fn two_addresses_that_close_right_after_settings_do_not_undo_each_others_backoff() {
    let (connector, listener) = memory::pair("peer");
    let connections = flapping(listener, &NO_STREAMS);
    let channel = Channel::builder("ipv4:10.0.0.1:1,10.0.0.2:2")
        .insecure()
        .connector(Any(BoxConnector::new(connector)))
        .build()
        .unwrap();
    let end = Instant::now() + 60 * SECOND;
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert!(status.message().contains("10.0.0.1:1"), "{status}");
    assert!(status.message().contains("10.0.0.2:2"), "{status}");
    let call = channel.unary::<One>(bytes("x")).wait_for_ready(true);
    assert!(timeout_at(end, call.into_future()).await.is_err());
    let count = connections.load(Ordering::Relaxed);
    assert!((12..=40).contains(&count), "{count} connections");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answered_is_replaced_at_once_however_short_it_lived() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    for round in 1..=5 {
        let server = async { peer.next().await.reply(&["y"]) };
        let call = channel.unary::<One>(bytes("x")).timeout(SECOND / 10);
        let (reply, ()) = tokio::join!(call.into_future(), server);
        reply.unwrap();
        assert_eq!(peer.connections(), round);
        peer.go_away();
        tokio::time::sleep(SECOND / 100).await;
    }
}
