//! Addresses that neither answer nor refuse: the next one gets its turn.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;
use trunkline_client::{Channel, ChannelBuilder};
use trunkline_core::{Code, Stage};
use trunkline_transport::memory::{self, MemoryConnector};
use trunkline_transport::{Address, BoxIo, Connector};

use super::support::{One, Peer, bytes, serve};

const SECOND: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_millis(250);

/// Answers at one address only; at all others packets vanish.
struct BlackHole {
    up: MemoryConnector,
    good: &'static str,
    open: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connector for BlackHole {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        if to.to_string() == self.good {
            return self.up.connect(to).await;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(Arc::clone(&self.open));
        std::future::pending().await
    }
}

/// A channel, the peer at the good address, and how many attempts vanish at the moment.
fn black_hole(
    target: &str,
    good: &'static str,
    options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> (Channel, Peer, Arc<AtomicUsize>) {
    let (up, listener) = memory::pair("up");
    let open = Arc::new(AtomicUsize::new(0));
    let connector = BlackHole {
        up,
        good,
        open: Arc::clone(&open),
    };
    let builder = Channel::builder(target).insecure().connector(connector);
    (
        options(builder).build().unwrap(),
        serve(listener, 100),
        open,
    )
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_one_attempt_delay() {
    let target = "ipv4:10.0.0.1:1,10.0.0.2:2,10.0.0.3:3";
    let (channel, mut peer, open) = black_hole(target, "10.0.0.2:2", |builder| builder);
    let server = async { peer.next().await.reply(&["y"]) };
    let began = Instant::now();
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    reply.unwrap();
    assert_eq!(began.elapsed(), DELAY);
    tokio::task::yield_now().await;
    assert_eq!(
        open.load(Ordering::Relaxed),
        0,
        "the other attempt was dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn the_attempt_delay_can_be_chosen_and_counts_from_each_attempt() {
    let target = "ipv4:10.0.0.1:1,10.0.0.2:2,10.0.0.3:3";
    let (channel, mut peer, _) = black_hole(target, "10.0.0.3:3", |builder| {
        builder.connection_attempt_delay(SECOND)
    });
    let server = async { peer.next().await.reply(&["y"]) };
    let began = Instant::now();
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    reply.unwrap();
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_black_holes_each_is_told_with_its_own_cause() {
    let target = "ipv4:10.0.0.1:1,10.0.0.2:2";
    let (channel, _peer, _) = black_hole(target, "none", |builder| builder);
    let began = Instant::now();
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert_eq!(began.elapsed(), 20 * SECOND + DELAY);
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: /test.T/One: connect: none of the 2 addresses of \
         ipv4:10.0.0.1:1,10.0.0.2:2 could be reached: connect: 10.0.0.1:1: no connection within \
         20s (the channel's connect_timeout); connect: 10.0.0.2:2: no connection within 20s (the \
         channel's connect_timeout)"
    );
}

/// A real socket whose backlog is full: the kernel drops what would open a connection.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_dropped_syn_is_bounded_and_named() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut fill = Vec::new();
    let short = Duration::from_millis(50);
    while let Ok(connected) = tokio::time::timeout(short, TcpStream::connect(address)).await {
        fill.push(connected.unwrap());
    }
    let channel = Channel::builder(address.to_string())
        .insecure()
        .connect_timeout(SECOND / 5)
        .build()
        .unwrap();
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.stage(), Some(Stage::Connect));
    let text = format!("{address}: no connection within 200ms (the channel's connect_timeout)");
    assert_eq!(status.message(), text);
}
