//! The three streaming shapes, and every way in which one can end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use trunkline_core::{Code, Origin};

use super::support::{Both, Down, Exchange, Up, bytes, ok, pair};

#[tokio::test(start_paused = true)]
async fn server_streaming_gives_headers_messages_and_trailers() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let call = channel.server_streaming::<Down>(bytes("area"));
    let mut receiver = call.await.unwrap();
    let mut exchange = peer.next().await;
    assert_eq!(exchange.message().await.unwrap().unwrap(), "area");
    let mut head = super::support::headers();
    head.headers_mut().insert("a", "1".parse().unwrap());
    let mut stream = exchange.respond.send_response(head, false).unwrap();
    assert_eq!(receiver.headers().await.unwrap().get("a"), Some("1"));
    stream.send_data(super::support::frame("1"), false).unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap(), "1");
    let mut trailers = ok();
    trailers.insert("b", "2".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
    assert!(receiver.trailers().is_empty());
    assert!(receiver.recv().await.unwrap().is_none());
    assert_eq!(receiver.trailers().get("b"), Some("2"));
    assert!(receiver.recv().await.unwrap().is_none(), "still the end");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_is_a_stream_that_ends_after_its_error() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let mut receiver = channel.server_streaming::<Down>(bytes("x")).await.unwrap();
    let mut exchange = peer.next().await;
    let mut stream = exchange.begin(&["1"]);
    let mut trailers = ok();
    trailers.insert("grpc-status", "8".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
    let mut seen = Vec::new();
    while let Some(item) = std::future::poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await {
        seen.push(item);
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].as_ref().unwrap(), "1");
    let status = seen[1].as_ref().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.method(), Some("/test.T/Down"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_the_first_message_does_not_deadlock() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = tokio::spawn(async move {
        let mut exchange = peer.next().await;
        let first = exchange.message().await.unwrap().unwrap();
        assert_eq!(first, "hello");
        let mut stream = exchange.begin(&["heard"]);
        assert!(
            exchange.message().await.unwrap().is_none(),
            "finish() is END_STREAM"
        );
        stream.send_trailers(ok()).unwrap();
    });
    let (mut sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    sender.send(&bytes("hello")).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap(), "heard");
    sender.finish();
    assert!(receiver.recv().await.unwrap().is_none());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sender_dropped_without_finish_cancels_and_says_so() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (mut sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    sender.send(&bytes("half of it")).await.unwrap();
    let mut exchange = peer.next().await;
    assert!(exchange.message().await.unwrap().is_some());
    drop(sender);
    let reset = exchange.message().await.unwrap_err();
    assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
    let status = receiver.recv().await.unwrap_err();
    assert_eq!(
        status.to_string(),
        "CANCELLED: /test.T/Both: Sender dropped without finish()"
    );
    assert_eq!(status.origin(), Origin::Local);

    let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
    let _exchange = peer.next().await;
    drop(sender);
    let status = summary.await.unwrap_err();
    assert!(
        status
            .to_string()
            .contains("Sender dropped without finish()"),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn abort_cancel_and_drop_reset_with_cancel() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    let exchange = peer.next().await;
    sender.abort();
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
    let status = receiver.recv().await.unwrap_err();
    assert!(
        status.to_string().contains("aborted by Sender::abort()"),
        "{status}"
    );

    let mut receiver = channel.server_streaming::<Down>(bytes("x")).await.unwrap();
    let mut exchange = peer.next().await;
    let stream = exchange.begin(&["1", "2"]);
    assert_eq!(receiver.recv().await.unwrap().unwrap(), "1");
    receiver.cancel();
    assert_eq!(
        receiver.recv().await.unwrap().unwrap(),
        "2",
        "what had arrived is read"
    );
    let status = receiver.recv().await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    assert!(
        status
            .to_string()
            .contains("cancelled by Receiver::cancel()"),
        "{status}"
    );
    assert_eq!(Exchange::reset_of(stream).await, h2::Reason::CANCEL);

    let (sender, receiver) = channel.bidi::<Both>().await.unwrap();
    let exchange = peer.next().await;
    drop(receiver);
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
    drop(sender);

    let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
    let exchange = peer.next().await;
    drop(summary);
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_dropping_a_half_changes_nothing() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    peer.next().await.reply(&["1"]);
    assert!(receiver.recv().await.unwrap().is_some());
    assert!(receiver.recv().await.unwrap().is_none());
    drop(sender);
    assert!(receiver.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn send_all_with_nothing_to_send_ends_with_the_call() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (mut sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    let sending = tokio::spawn(async move { sender.send_all(Silent).await });
    peer.next().await.fail("5", "no such thing");
    let why = receiver.recv().await.unwrap_err();
    assert_eq!(why.code(), Code::NotFound);
    let told = sending.await.unwrap().unwrap_err();
    assert!(
        matches!(told.code(), Code::NotFound | Code::Cancelled),
        "{told}"
    );
}

/// A stream that never yields anything.
struct Silent;

impl Stream for Silent {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn client_streaming_by_hand() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = tokio::spawn(async move {
        let mut exchange = peer.next().await;
        let mut count = 0;
        while exchange.message().await.unwrap().is_some() {
            count += 1;
        }
        exchange.reply(&["done"]);
        count
    });
    let (mut sender, summary) = channel.client_streaming::<Up>().await.unwrap();
    sender.send(&bytes("1")).await.unwrap();
    sender.feed(&bytes("2")).unwrap();
    sender.flush().await.unwrap();
    sender.send_all([bytes("3"), bytes("4")]).await.unwrap();
    sender.finish();
    assert_eq!(summary.await.unwrap().message(), "done");
    assert_eq!(server.await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn upload_takes_iterators_and_streams() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = tokio::spawn(async move {
        let mut counts = Vec::new();
        for _ in 0..3 {
            let mut exchange = peer.next().await;
            let mut count = 0;
            while exchange.message().await.unwrap().is_some() {
                count += 1;
            }
            exchange.reply(&["done"]);
            counts.push(count);
        }
        counts
    });
    let call = || channel.client_streaming::<Up>();
    call().upload(vec![bytes("a"), bytes("b")]).await.unwrap();
    call()
        .upload((0..10_000_u32).map(|n| Bytes::from(n.to_string())))
        .await
        .unwrap();
    call().upload(Counting::up_to(7)).owned().await.unwrap();
    assert_eq!(server.await.unwrap(), [2, 10_000, 7]);
}

/// A stream that is only ready every other time, and that tells when it is dropped.
struct Counting {
    left: usize,
    pending: bool,
    taken: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
}

impl Counting {
    fn up_to(left: usize) -> Self {
        Self {
            left,
            pending: false,
            taken: Arc::default(),
            dropped: Arc::default(),
        }
    }
}

impl Stream for Counting {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.pending = !self.pending;
        if self.pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Bytes::from(vec![0; 1_000])))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_stops_the_upload() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let messages = Counting::up_to(usize::MAX);
    let (taken, dropped) = (Arc::clone(&messages.taken), Arc::clone(&messages.dropped));
    let server = async {
        let mut exchange = peer.next().await;
        exchange.message().await.unwrap();
        exchange.fail("7", "not you");
    };
    let upload = channel.client_streaming::<Up>().upload(messages);
    let upload = tokio::time::timeout(Duration::from_secs(5), upload);
    let (reply, ()) = tokio::join!(upload, server);
    let status = reply.expect("in time").unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(status.message(), "not you");
    assert_eq!(status.origin(), Origin::Peer);
    assert!(dropped.load(Ordering::Relaxed), "the producer is gone");
    assert!(
        taken.load(Ordering::Relaxed) < 1_000,
        "a window's worth at most"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_with_a_message_over_the_limit_fails_and_cancels() {
    let (builder, mut peer) = pair(100);
    let channel = builder.max_send_message_bytes(3).build().unwrap();
    // The first one has arrived when the second one comes: what is over before it was written may
    // never be.
    let (arrived, then) = tokio::sync::oneshot::channel();
    let upload = channel
        .client_streaming::<Up>()
        .upload(ThenTooLarge { then, sent: false });
    let server = async {
        let exchange = peer.next().await;
        arrived.send(()).unwrap();
        exchange.reset().await
    };
    let (reply, reason) = tokio::join!(upload, server);
    let status = reply.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(
        status.to_string().contains("max_send_message_bytes"),
        "{status}"
    );
    assert_eq!(reason, h2::Reason::CANCEL);
}

/// A message, and one that is too large once it is told that the first one has arrived.
struct ThenTooLarge {
    then: tokio::sync::oneshot::Receiver<()>,
    sent: bool,
}

impl Stream for ThenTooLarge {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !std::mem::replace(&mut self.sent, true) {
            return Poll::Ready(Some(bytes("ok")));
        }
        let then = Pin::new(&mut self.then).poll(cx);
        then.map(|_| Some(bytes("too large")))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_work_in_two_tasks() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    const COUNT: usize = 20_000;
    // The peer sends a frame per message and waits for nobody: frames too small would be a flood.
    let message = |n: usize| Bytes::from(format!("{n:0>300}"));
    tokio::spawn(async move {
        let mut exchange = peer.next().await;
        let mut stream = exchange.begin(&[]);
        while let Some(message) = exchange.message().await.unwrap() {
            let text = String::from_utf8(message.to_vec()).unwrap();
            stream
                .send_data(super::support::frame(&text), false)
                .unwrap();
        }
        stream.send_trailers(ok()).unwrap();
    });
    let (mut sender, mut receiver) = channel.bidi::<Both>().await.unwrap();
    let sending = tokio::spawn(async move {
        for n in 0..COUNT {
            sender.send(&message(n)).await.unwrap();
        }
        sender.finish();
    });
    for n in 0..COUNT {
        assert_eq!(receiver.recv().await.unwrap().unwrap(), message(n));
    }
    assert!(receiver.recv().await.unwrap().is_none());
    sending.await.unwrap();
}
