//! Calls that surely were not processed go out again; all others do not.

use std::time::Duration;

use trunkline_core::Code;

use super::support::{Down, One, Up, bytes, pair};

fn refuse(mut exchange: super::support::Exchange) {
    exchange.respond.send_reset(h2::Reason::REFUSED_STREAM);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_goes_out_once_more_and_only_once() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        refuse(peer.next().await);
        let mut again = peer.next().await;
        assert_eq!(again.message().await.unwrap().unwrap(), "kept");
        again.reply(&["y"]);
    };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("kept")).into_future(), server);
    assert_eq!(reply.unwrap().message(), "y");

    let server = async {
        refuse(peer.next().await);
        refuse(peer.next().await);
    };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    let status = reply.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.to_string().contains("/test.T/One"), "{status}");
    assert!(peer.calls.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refused_server_stream_goes_out_once_more_with_its_request() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        refuse(peer.next().await);
        let mut again = peer.next().await;
        assert_eq!(again.message().await.unwrap().unwrap(), "kept");
        again.reply(&["1", "2"]);
    };
    let client = async {
        let call = channel.server_streaming::<Down>(bytes("kept"));
        let mut receiver = call.timeout(Duration::from_secs(5)).await.unwrap();
        assert!(receiver.headers().await.unwrap().is_empty());
        assert_eq!(receiver.recv().await.unwrap().unwrap(), "1");
        assert_eq!(receiver.recv().await.unwrap().unwrap(), "2");
        assert!(receiver.recv().await.unwrap().is_none());
    };
    tokio::join!(client, server);

    let server = async {
        refuse(peer.next().await);
        refuse(peer.next().await);
    };
    let client = async {
        let mut receiver = channel
            .server_streaming::<Down>(bytes("kept"))
            .await
            .unwrap();
        let status = receiver.recv().await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert_eq!(
            receiver.recv().await.unwrap_err().code(),
            Code::Unavailable,
            "sticky"
        );
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_during_the_second_try_is_a_deadline() {
    let (builder, mut peer) = pair(1);
    let channel = builder.max_connections(1).build().unwrap();
    let server = async {
        refuse(peer.next().await);
        peer.next().await
    };
    let client = async {
        let call = channel.server_streaming::<Down>(bytes("kept"));
        let mut receiver = call.timeout(Duration::from_secs(1)).await.unwrap();
        receiver.recv().await.unwrap_err()
    };
    let (status, _open) = tokio::join!(client, server);
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_answered_is_not_repeated() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        let mut exchange = peer.next().await;
        let mut stream = exchange.begin(&[]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.send_reset(h2::Reason::REFUSED_STREAM);
    };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    assert_eq!(reply.unwrap_err().code(), Code::Unavailable);
    assert!(peer.calls.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_refused_before_its_first_message_starts_over() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let messages = Once(Some(Box::pin(async move {
        let _ = wait.await;
        bytes("late")
    })));
    let server = async {
        refuse(peer.next().await);
        let mut again = peer.next().await;
        go.send(()).unwrap();
        assert_eq!(again.message().await.unwrap().unwrap(), "late");
        assert!(again.message().await.unwrap().is_none());
        again.reply(&["y"]);
    };
    let upload = channel.client_streaming::<Up>().upload(messages);
    let (reply, ()) = tokio::join!(upload, server);
    assert_eq!(reply.unwrap().message(), "y");
}

/// A stream of one message that takes a while.
struct Once<F>(Option<std::pin::Pin<Box<F>>>);

impl<F: Future> futures_core::Stream for Once<F> {
    type Item = F::Output;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<F::Output>> {
        let Some(future) = &mut self.0 else {
            return std::task::Poll::Ready(None);
        };
        let output = std::task::ready!(future.as_mut().poll(cx));
        self.0 = None;
        std::task::Poll::Ready(Some(output))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goaway_loses_no_call() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let mut answered = 0;
        loop {
            tokio::select! {
                exchange = peer.calls.recv() => exchange.unwrap().reply(&["y"]),
                _ = &mut stopped => return peer.connections(),
            }
            answered += 1;
            if answered % 10 == 0 {
                // Meets the next calls anywhere between their start and their end.
                peer.go_away();
            }
        }
    });
    for round in 0..2_000 {
        let reply = channel.unary::<One>(bytes("x")).await;
        assert!(reply.is_ok(), "call {round}: {reply:?}");
    }
    stop.send(()).unwrap();
    let connections = server.await.unwrap();
    assert!(connections > 10, "{connections} connections");
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_what_was_tried_before() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        for _ in 0..4 {
            let mut refused = peer.next().await;
            refused.respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
        peer.next().await.fail("5", "nothing");
    };
    let client = async {
        let error = channel.unary::<One>(bytes("")).await.unwrap_err();
        assert_eq!(error.attempts().len(), 2, "{error:?}");
        assert_eq!(error.attempts()[0].address(), Some("memory:peer"));
        assert!(error.attempts()[0].status().is_unprocessed());
        assert_eq!(error.attempts()[1].to_string(), error.to_string());
        let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        let error = down.recv().await.unwrap_err();
        assert_eq!(error.attempts().len(), 2, "{error:?}");
        let error = channel.unary::<One>(bytes("")).await.unwrap_err();
        assert!(
            error.attempts().is_empty(),
            "the one try is the error itself"
        );
    };
    tokio::join!(client, server);
}
