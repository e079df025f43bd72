//! Deadlines wherever a call may stand.

use std::time::Duration;

use tokio::time::Instant;
use trunkline_core::{Code, Deadline, Inherited, Origin};

use super::support::{Both, Down, Exchange, One, Up, bytes, pair};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_silent_handler_is_a_deadline_with_place_and_a_reset() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let began = Instant::now();
    let server = async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("grpc-timeout"), "1000000u");
        exchange.reset().await
    };
    let call = channel.unary::<One>(bytes("x")).timeout(SECOND);
    let (reply, reason) = tokio::join!(call.into_future(), server);
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!(reason, h2::Reason::CANCEL);
    assert_eq!(
        reply.unwrap_err().to_string(),
        "DEADLINE_EXCEEDED: /test.T/One: response: no answer within 1s: \
         waiting for the response from memory:peer"
    );
}

#[tokio::test]
async fn the_text_says_the_span_that_was_asked_for() {
    let (builder, _peer) = pair(100);
    let channel = builder.build().unwrap();
    let call = channel.unary::<One>(bytes("x")).timeout(SECOND / 20);
    let status = call.await.unwrap_err();
    assert!(
        status.message().starts_with("no answer within 50ms: "),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_text_says_whose_deadline_it_was() {
    let (builder, mut peer) = pair(100);
    let channel = builder.timeout(5 * SECOND).build().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(peer.next().await);
        }
    });
    let call = || channel.unary::<One>(bytes("x"));
    let after = |span| Deadline::after(trunkline_transport::now(), span);
    let nanos = Duration::from_nanos(15_632_704);
    let mut parent = Inherited::new();
    parent.deadline = Some(after(9 * nanos));
    for (call, text) in [
        (
            call(),
            "no answer within 5s, the channel's timeout: waiting",
        ),
        (
            call().deadline(after(5 * SECOND + nanos)),
            "no answer by the deadline, 16ms after the call began: waiting",
        ),
        (
            call().within(parent),
            "the inherited deadline had already passed when the call was made",
        ),
    ] {
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().starts_with(text), "{status}");
    }
}

/// The server's clock counts what the client's does: which one fires first is chance.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_it_at_the_deadline_gives_the_same_text() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        for _ in 0..2 {
            let exchange = peer.next().await;
            tokio::time::sleep(SECOND).await;
            let _ = exchange.try_fail("4", "too slow");
        }
    };
    let calls = async {
        let call = channel.unary::<One>(bytes("x")).timeout(SECOND);
        let status = call.await.unwrap_err();
        let text = status.message();
        assert!(text.starts_with("no answer within 1s: "), "{status}");
        // Said before our own deadline, it is a limit of the server's, and stays what it is.
        let call = channel.server_streaming::<Down>(bytes("x"));
        let mut receiver = call.timeout(2 * SECOND).await.unwrap();
        let first = receiver.recv().await.unwrap_err();
        assert_eq!(
            (first.message(), first.origin()),
            ("too slow", Origin::Peer)
        );
        tokio::time::sleep(3 * SECOND).await;
        let second = receiver.recv().await.unwrap_err();
        assert_eq!(second.to_string(), first.to_string(), "sticky");
    };
    tokio::join!(server, calls);
}

#[tokio::test(start_paused = true)]
async fn the_default_the_parent_and_the_call_each_can_be_the_earliest() {
    let (builder, mut peer) = pair(100);
    let channel = builder.timeout(5 * SECOND).build().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(peer.next().await);
        }
    });
    let took = async |call: trunkline_client::Call<'_, One, trunkline_client::Unary>| {
        let began = Instant::now();
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        began.elapsed()
    };
    let call = || channel.unary::<One>(bytes("x"));
    assert_eq!(took(call()).await, 5 * SECOND);
    assert_eq!(took(call().timeout(7 * SECOND)).await, 7 * SECOND);
    let mut parent = Inherited::new();
    parent.deadline = Some(Deadline::after(trunkline_transport::now(), 2 * SECOND));
    assert_eq!(
        took(call().timeout(7 * SECOND).within(parent)).await,
        2 * SECOND
    );
    let deadline = Deadline::after(trunkline_transport::now(), 3 * SECOND);
    assert_eq!(took(call().deadline(deadline)).await, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_sends_nothing() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let status = channel
        .unary::<One>(bytes("x"))
        .timeout(Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.to_string().contains("already passed"), "{status}");
    assert!(status.is_unprocessed());
    assert_eq!(peer.connections(), 0);
    assert!(peer.calls.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_after_three_messages() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = tokio::spawn(async move {
        let mut exchange = peer.next().await;
        let stream = exchange.begin(&["1", "2", "3"]);
        Exchange::reset_of(stream).await
    });
    let mut receiver = channel
        .server_streaming::<Down>(bytes("x"))
        .timeout(SECOND)
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(receiver.recv().await.unwrap().is_some());
    }
    let status = receiver.recv().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(
        status
            .to_string()
            .contains("waiting for response 4 (after 3) from memory:peer"),
        "{status}"
    );
    assert_eq!(
        receiver.recv().await.unwrap_err().code(),
        Code::DeadlineExceeded,
        "sticky"
    );
    assert_eq!(server.await.unwrap(), h2::Reason::CANCEL);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_stops_sending_meets_the_deadline_too() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    tokio::spawn(async move {
        let mut exchange = peer.next().await;
        let mut stream = exchange.begin(&[]);
        loop {
            if stream
                .send_data(super::support::frame("again"), false)
                .is_err()
            {
                return;
            }
            tokio::time::sleep(SECOND / 100).await;
        }
    });
    let mut receiver = channel
        .server_streaming::<Down>(bytes("x"))
        .timeout(SECOND)
        .await
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Err(status) = receiver.recv().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(began.elapsed() <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_summary_whose_sender_was_never_finished_says_so() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (mut sender, summary) = channel
        .client_streaming::<Up>()
        .timeout(SECOND)
        .await
        .unwrap();
    let _exchange = peer.next().await;
    sender.send(&bytes("x")).await.unwrap();
    let status = summary.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(
        status.to_string().contains("its Sender was never finished"),
        "{status}"
    );
    let status = sender.send(&bytes("y")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_without_window_is_bounded_by_itself() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let (mut sender, mut receiver) = channel.bidi::<Both>().timeout(SECOND).await.unwrap();
    let _exchange = peer.next().await;
    let big = bytes::Bytes::from(vec![0; 50_000]);
    let status = loop {
        if let Err(status) = sender.send(&big).await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(
        status.to_string().contains("/test.T/Both: request: "),
        "{status}"
    );
    let status = receiver.recv().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_need_not_wait_meets_the_deadline_too() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    for how in ["send", "feed", "flush"] {
        let (mut sender, mut receiver) = channel.bidi::<Both>().timeout(SECOND).await.unwrap();
        let mut exchange = peer.next().await;
        sender.send(&bytes("in time")).await.unwrap();
        assert!(exchange.message().await.unwrap().is_some());
        // Nobody polls a timer of the call meanwhile.
        tokio::time::sleep(2 * SECOND).await;
        for _ in 0..2 {
            let late = match how {
                "send" => sender.send(&bytes("late")).await,
                "feed" => sender.feed(&bytes("late")),
                _ => sender.flush().await,
            };
            let status = late.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{how}: {status}");
            assert!(status.to_string().contains("within 1s"), "{how}: {status}");
        }
        assert!(exchange.message().await.is_err(), "{how}: it was reset");
        let status = receiver.recv().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{how}: {status}");
    }
}
