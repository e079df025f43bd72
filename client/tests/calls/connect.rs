//! Resolving and connecting: what fails how, and what recovers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use trunkline_client::Channel;
use trunkline_core::{Code, Stage};
use trunkline_transport::memory::{self, MemoryConnector};
use trunkline_transport::{Address, BoxIo, Connector, Listener};

use super::support::{One, Peer, bytes, pair, serve};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_refused_port_is_told_at_once_with_address_and_cause() {
    let channel = Channel::insecure("127.0.0.1:1").unwrap();
    let began = std::time::Instant::now();
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert!(began.elapsed() < SECOND / 2);
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.stage(), Some(Stage::Connect));
    let text = status.to_string().to_lowercase();
    assert!(
        text.starts_with("unavailable: /test.t/one: connect: 127.0.0.1:1: "),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
    assert!(status.is_unprocessed());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_with_host_and_cause() {
    let channel = Channel::builder("dns:///no-such-host.invalid:50051")
        .insecure()
        .no_proxy()
        .build()
        .unwrap();
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.stage(), Some(Stage::Resolve));
    let text = status.to_string();
    let prefix = "UNAVAILABLE: /test.T/One: resolve: no-such-host.invalid:50051: ";
    assert!(
        text.starts_with(prefix) && text.len() > prefix.len(),
        "{text}"
    );
    assert!(std::error::Error::source(&status).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_bounded_and_named() {
    let (connector, mut listener) = memory::pair("mute");
    let channel = Channel::builder("memory:mute")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    let began = Instant::now();
    let accepted = tokio::spawn(async move {
        let io = listener.accept().await.unwrap();
        (io, listener)
    });
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert_eq!(began.elapsed(), 20 * SECOND);
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: /test.T/One: http2: memory:mute: the peer accepted the connection but sent \
         no HTTP/2 SETTINGS within 20s (the channel's connect_timeout)"
    );
    // It recovers when the peer does.
    let (_io, listener) = accepted.await.unwrap();
    let mut peer = serve(listener, 100);
    let server = async { peer.next().await.reply(&["y"]) };
    let call = channel.unary::<One>(bytes("x")).wait_for_ready(true);
    let (reply, ()) = tokio::join!(call.into_future(), server);
    reply.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_connecting_and_says_so() {
    let (connector, _listener) = memory::pair("mute");
    let channel = Channel::builder("memory:mute")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    let status = channel
        .unary::<One>(bytes("x"))
        .timeout(SECOND)
        .await
        .unwrap_err();
    assert_eq!(
        status.to_string(),
        "DEADLINE_EXCEEDED: /test.T/One: connect: no answer within 1s: still connecting to \
         memory:mute, accepted but without HTTP/2 SETTINGS so far"
    );
}

/// Refuses some addresses, knows the others, and counts.
struct Switch {
    up: MemoryConnector,
    refuse: fn(&Address, usize) -> bool,
    attempts: Arc<AtomicUsize>,
}

impl Connector for Switch {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        if (self.refuse)(to, attempt) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "nobody there",
            ));
        }
        self.up.connect(to).await
    }
}

fn switch(target: &str, refuse: fn(&Address, usize) -> bool) -> (Channel, Peer, Arc<AtomicUsize>) {
    let (up, listener) = memory::pair("up");
    let attempts = Arc::new(AtomicUsize::new(0));
    let connector = Switch {
        up,
        refuse,
        attempts: Arc::clone(&attempts),
    };
    let channel = Channel::builder(target)
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    (channel, serve(listener, 100), attempts)
}

#[tokio::test(start_paused = true)]
async fn addresses_are_tried_in_order() {
    let down = |to: &Address, _| to.to_string() == "10.0.0.1:1";
    let (channel, mut peer, attempts) = switch("ipv4:10.0.0.1:1,10.0.0.2:2", down);
    let server = async { peer.next().await.reply(&["y"]) };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    reply.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn who_calls_again_and_again_what_fails_at_once_stops_nobody() {
    let (channel, _peer, _) = switch("ipv4:10.0.0.1:1", |_, _| true);
    let failed = || channel.unary::<One>(bytes("x"));
    assert!(failed().await.is_err());
    let other = tokio::spawn(async {});
    let mut calls = 0;
    while !other.is_finished() && calls < 10_000 {
        assert!(failed().await.is_err());
        calls += 1;
    }
    assert!(other.is_finished(), "no turn within {calls} calls");
}

#[tokio::test(start_paused = true)]
async fn when_all_are_down_the_error_lists_each_with_its_cause() {
    let (channel, _peer, _) = switch("ipv4:10.0.0.1:1,10.0.0.2:2", |_, _| true);
    let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: /test.T/One: connect: none of the 2 addresses of \
         ipv4:10.0.0.1:1,10.0.0.2:2 could be reached: connect: 10.0.0.1:1: nobody there; \
         connect: 10.0.0.2:2: nobody there"
    );
    let tried = status.attempts().iter();
    let tried: Vec<_> = tried
        .map(|each| (each.address(), each.status().code()))
        .collect();
    let unavailable = Code::Unavailable;
    assert_eq!(
        tried,
        [
            (Some("10.0.0.1:1"), unavailable),
            (Some("10.0.0.2:2"), unavailable)
        ]
    );
    let began = Instant::now();
    assert!(channel.unary::<One>(bytes("x")).await.is_err());
    assert_eq!(
        began.elapsed(),
        Duration::ZERO,
        "in transient failure calls fail at once"
    );
}

#[tokio::test(start_paused = true)]
async fn wait_for_ready_outlasts_the_failure_and_backs_off() {
    let (channel, mut peer, attempts) = switch("10.0.0.1:1", |_, attempt| attempt < 3);
    let began = Instant::now();
    let server = async { peer.next().await.reply(&["y"]) };
    let call = channel.unary::<One>(bytes("x")).wait_for_ready(true);
    let (reply, ()) = tokio::join!(call.into_future(), server);
    reply.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 4);
    // 1 s, 1.6 s and 2.56 s, each up to a fifth shorter or longer.
    let took = began.elapsed().as_secs_f64();
    assert!((5.16 * 0.8..5.16 * 1.2).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_waiting_call_carries_the_last_failure_and_the_attempts() {
    let (channel, _peer, _) = switch("10.0.0.1:1", |_, _| true);
    let call = channel
        .unary::<One>(bytes("x"))
        .wait_for_ready(true)
        .timeout(2 * SECOND);
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let text = status.to_string();
    assert!(text.contains("2 attempt(s) failed"), "{text}");
    assert!(
        text.contains("the last with: connect: 10.0.0.1:1: nobody there"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_replaced_on_the_next_call() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    for round in 1..=3 {
        let server = async { peer.next().await.reply(&["y"]) };
        let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
        reply.unwrap();
        assert_eq!(peer.connections(), round);
        peer.go_away();
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(peer.connections(), round, "idle until somebody calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_is_a_failed_attempt() {
    struct Panics;
    impl Connector for Panics {
        async fn connect(&self, _: &Address) -> io::Result<BoxIo> {
            panic!("on purpose");
        }
    }
    let channel = Channel::builder("10.0.0.1:1")
        .insecure()
        .connector(Panics)
        .build()
        .unwrap();
    for _ in 0..2 {
        let status = channel.unary::<One>(bytes("x")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            status
                .to_string()
                .contains("10.0.0.1:1: the connector panicked"),
            "{status}"
        );
        tokio::time::sleep(10 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_calls_share_one_connection() {
    let (builder, mut peer) = pair(2_000);
    let channel = builder.build().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        calls.spawn(channel.unary::<One>(bytes("x")).owned());
    }
    for _ in 0..1_000 {
        peer.next().await.reply(&["y"]);
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_runtime_without_a_timer_is_told_and_not_tried_for_ever() {
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().build().unwrap();
        let channel = Channel::insecure("127.0.0.1:1").unwrap();
        let call = channel.unary::<One>(bytes("x")).wait_for_ready(true);
        let result = runtime.block_on(call.into_future());
        sender.send(result.map(drop)).unwrap();
    });
    let status = told.recv_timeout(10 * SECOND).unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.to_string().contains("enable_time()"), "{status}");
}
