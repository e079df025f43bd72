//! Real tower layers around the calls of a channel, each with its effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;
use tower::buffer::BufferLayer;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder};
use trunkline_client::{CallContext, Channel};
use trunkline_core::{Code, Origin};
use trunkline_transport::now;

use super::support::{Both, Down, One, bytes, pair};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_timeout_bounds_a_unary_call_and_the_opening_of_a_stream() {
    let (builder, mut peer) = pair(100);
    let layer = TimeoutLayer::new(SECOND);
    let channel = builder.layer(layer).build().unwrap();
    let began = now();
    let call = channel.unary::<One>(bytes(""));
    let (error, exchange) = tokio::join!(call.into_future(), peer.next());
    let error = error.unwrap_err();
    assert_eq!(now() - began, SECOND);
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(error.method(), Some("/test.T/One"));
    assert!(error.message().contains("request timed out"), "{error}");
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
    // A stream may last longer.
    let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
    let exchange = peer.next().await;
    assert!(timeout(3 * SECOND, down.recv()).await.is_err());
    exchange.reply(&["late"]);
    assert_eq!(down.recv().await.unwrap().unwrap(), "late");
    assert!(down.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_is_one_for_all_calls_of_the_channel() {
    let (builder, mut peer) = pair(100);
    let channel = builder.layer(ConcurrencyLimitLayer::new(2));
    let channel = channel.build().unwrap();
    let call = || tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let calls = [call(), call(), call(), call()];
    let (one, two) = (peer.next().await, peer.next().await);
    assert!(timeout(SECOND, peer.next()).await.is_err(), "two at once");
    one.reply(&["x"]);
    let three = peer.next().await;
    assert!(timeout(SECOND, peer.next()).await.is_err(), "still two");
    two.reply(&["x"]);
    three.reply(&["x"]);
    peer.next().await.reply(&["x"]);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_for_a_limit_leaves_it_to_the_next() {
    let (builder, mut peer) = pair(100);
    let channel = builder.layer(ConcurrencyLimitLayer::new(1));
    let channel = channel.build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let exchange = peer.next().await;
    let dropped = tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let queued = tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let late = channel.unary::<One>(bytes("")).timeout(SECOND).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    exchange.reply(&["x"]);
    peer.next().await.reply(&["x"]);
    first.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn shed_load_is_resource_exhausted() {
    let (builder, mut peer) = pair(100);
    let layers = ServiceBuilder::new().load_shed().concurrency_limit(1);
    let channel = builder.layer(layers).build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let exchange = peer.next().await;
    let error = channel.unary::<One>(bytes("")).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(error.message().contains("overloaded"), "{error}");
    exchange.reply(&["x"]);
    first.await.unwrap().unwrap();
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("")).into_future(), async {
        peer.next().await.reply(&["x"]);
    });
    reply.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_spreads_calls_in_time() {
    let (builder, mut peer) = pair(100);
    let channel = builder.layer(RateLimitLayer::new(2, SECOND));
    let channel = channel.build().unwrap();
    let server = tokio::spawn(async move {
        while let Some(exchange) = peer.calls.recv().await {
            exchange.try_reply(&["x"]);
        }
    });
    let began = now();
    for _ in 0..5 {
        channel.unary::<One>(bytes("")).await.unwrap();
    }
    let took = now() - began;
    assert!((2 * SECOND..3 * SECOND).contains(&took), "{took:?}");
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_buffer_and_what_is_behind_it_work_together() {
    let (builder, mut peer) = pair(100);
    let layers = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1));
    let channel = builder.layer(layers).build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let exchange = peer.next().await;
    let shed = channel.unary::<One>(bytes("")).await.unwrap_err();
    assert_eq!(
        shed.code(),
        Code::ResourceExhausted,
        "out of the buffer: {shed}"
    );
    exchange.fail("5", "nothing");
    // The server's own status comes through boxes unchanged.
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.origin()),
        (Code::NotFound, Origin::Peer)
    );
    assert_eq!(error.message(), "nothing");
}

/// A layer of a user's own: counts its services and its calls.
#[derive(Clone, Default)]
struct Counting {
    services: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Counted<S>(S, Arc<AtomicUsize>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        self.services.fetch_add(1, Ordering::Relaxed);
        Counted(inner, Arc::clone(&self.calls))
    }
}

impl<S: Service<CallContext>> Service<CallContext> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut call: CallContext) -> S::Future {
        self.1.fetch_add(1, Ordering::Relaxed);
        call.metadata_mut()
            .append("layer", call_number(&self.1).as_str())
            .unwrap();
        self.0.call(call)
    }
}

fn call_number(calls: &AtomicUsize) -> String {
    calls.load(Ordering::Relaxed).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_applied_once_and_sees_calls_of_every_shape() {
    let counting = Counting::default();
    let (builder, mut peer) = pair(100);
    let layers = ServiceBuilder::new()
        .layer(counting.clone())
        .layer(counting.clone());
    let channel: Channel = builder
        .layer(layers)
        .layer(counting.clone())
        .build()
        .unwrap();
    let server = async {
        for expected in [["1", "2", "3"], ["4", "5", "6"]] {
            let exchange = peer.next().await;
            let seen: Vec<_> = exchange.head.headers.get_all("layer").iter().collect();
            assert_eq!(seen, expected);
            exchange.try_reply(&["x"]);
        }
    };
    let client = async {
        channel.unary::<One>(bytes("")).await.unwrap();
        let (sender, mut both) = channel.bidi::<Both>().await.unwrap();
        sender.finish();
        assert_eq!(both.recv().await.unwrap().unwrap(), "x");
        assert!(both.recv().await.unwrap().is_none());
    };
    tokio::join!(client, server);
    assert_eq!(counting.services.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_while_it_waits_for_a_limit_holds_up_nobody() {
    let (builder, mut peer) = pair(100);
    let channel = builder.layer(ConcurrencyLimitLayer::new(2));
    let channel = channel.build().unwrap();
    let call = || tokio::spawn(channel.unary::<One>(bytes("")).owned());
    let running = [call(), call()];
    let exchanges = [peer.next().await, peer.next().await];
    // Waits in a `select!`, say, whose other branch has won and takes its time.
    let mut asleep = Box::pin(channel.unary::<One>(bytes("")).into_future());
    assert!(timeout(SECOND, &mut asleep).await.is_err());
    let queued = [call(), call()];
    for exchange in exchanges {
        exchange.reply(&["x"]);
    }
    for _ in &queued {
        let exchange = timeout(SECOND, peer.next()).await;
        exchange.expect("a call that is polled").reply(&["x"]);
    }
    for call in running.into_iter().chain(queued) {
        call.await.unwrap().unwrap();
    }
    drop(asleep);
}
