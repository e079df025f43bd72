//! Calls of all four kinds that go well, and what they carry.

use std::time::Duration;

use bytes::Bytes;
use trunkline_core::{Code, Status};

use crate::service::{CALL, CHAT, COLLECT, LIST, metadata};
use crate::support::{How, all, assert_status, many_streams, only, within, world, world_with};

#[tokio::test]
async fn a_unary_call_carries_metadata_both_ways() {
    let world = world().await;
    let how = How {
        metadata: metadata(&[
            ("tenant", "a"),
            ("traceparent", "00-1-2-01"),
            ("authorization", "secret"),
        ]),
        ..within(Duration::from_secs(9))
    };
    let mut responses = world.single(CALL, "context", &how);
    let message = only(&mut responses).await.unwrap();
    assert_eq!(
        message,
        "Call from memory:test by Some(\"tests/1\"); deadline true; inherits true and \
         Some(\"00-1-2-01\")"
    );
    assert_eq!(responses.headers().get("x-head"), Some("a"));
    assert_eq!(responses.trailers().get("x-tail"), Some("a"));
    let stats = world.until(|stats| stats.rpcs_completed == 1).await;
    assert_eq!((stats.rpcs_started, stats.live_rpcs), (1, 0));
    world.end().await;
}

#[tokio::test]
async fn an_error_carries_code_text_and_metadata() {
    let world = world().await;
    let status = world.call("fail").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "no such thing");
    assert_eq!(status.metadata().get("why"), Some("because"));
    world.end().await;
}

#[tokio::test]
async fn server_streaming() {
    let world = world().await;
    let mut responses = world.single(LIST, "three", &How::default());
    let (messages, end) = all(&mut responses).await;
    assert_eq!(messages, ["one", "two", "three"]);
    end.unwrap();
    assert_eq!(responses.headers().get("x-head"), Some("list"));
    assert_eq!(responses.trailers().get("x-tail"), Some("list"));
    let binary = responses.headers().get_bin("x-head-bin").unwrap();
    assert_eq!(binary[..], [0, 255]);
    let binary = responses.trailers().get_bin("x-tail-bin").unwrap();
    assert_eq!(binary[..], [255, 0]);

    let (messages, end) = all(&mut world.single(LIST, "fail", &How::default())).await;
    assert_eq!(messages.len(), 3, "what was sent comes before the status");
    assert_status(end, Code::DataLoss, "after three");
    world.end().await;
}

#[tokio::test]
async fn response_headers_can_go_first() {
    let world = world().await;
    let mut responses = world.single(LIST, "headers", &How::default());
    std::future::poll_fn(|cx| responses.poll_head(cx))
        .await
        .unwrap();
    assert_eq!(responses.headers().get("x-head"), Some("list"));
    drop(responses);
    world.until(|stats| stats.rpcs_cancelled == 1).await;
    world.end().await;
}

#[tokio::test]
async fn metadata_that_cannot_be_set_is_an_error_that_names_it() {
    let world = world().await;
    for (request, text) in [
        (
            "bad header",
            "response header: metadata key \"X-Head\": only 0-9 a-z _ . - are allowed",
        ),
        ("bad trailer", "trailer: metadata key \"x-tail\": "),
        (
            "late header",
            "response header \"x-late\": the response headers are already sent",
        ),
    ] {
        let (_, end) = all(&mut world.single(LIST, request, &How::default())).await;
        assert_status(end, Code::Internal, text);
    }
    let (_, end) = all(&mut world.single(LIST, "outlive", &How::default())).await;
    end.unwrap();
    let refused = loop {
        let refused = std::mem::take(&mut *world.state.refused.lock().unwrap());
        if !refused.is_empty() {
            break refused;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let texts = refused.iter().map(Status::message).collect::<Vec<_>>();
    assert_eq!(
        texts,
        [
            "response header \"x-late-bin\": the RPC has ended: its handler returned",
            "trailer \"x-late\": the RPC has ended: its handler returned",
        ]
    );
    world.end().await;
}

#[tokio::test]
async fn client_streaming() {
    let world = world().await;
    let (mut requests, mut responses) = world.streaming(COLLECT, &How::default());
    for part in ["a", "b", "c"] {
        requests
            .send(&Bytes::from_static(part.as_bytes()))
            .await
            .unwrap();
    }
    requests.half_close();
    assert_eq!(only(&mut responses).await.unwrap(), "abc");
    assert_eq!(responses.headers().get("x-head"), Some("collect"));
    assert_eq!(responses.trailers().get("x-tail"), Some("collect"));
    world.end().await;
}

#[tokio::test]
async fn bidi_with_the_halves_in_a_child() {
    let world = world().await;
    let (mut requests, mut responses) = world.streaming(CHAT, &How::default());
    for part in ["a", "b", "c"] {
        requests
            .send(&Bytes::from_static(part.as_bytes()))
            .await
            .unwrap();
        assert_eq!(responses.recv().await.unwrap().unwrap(), part);
    }
    requests.half_close();
    let (messages, end) = all(&mut responses).await;
    assert_eq!(messages, ["bye"], "the RPC outlives its handler");
    end.unwrap();
    world.end().await;
}

#[tokio::test]
async fn exactly_one_request_is_one() {
    let world = world().await;
    for path in [CALL, LIST] {
        let (mut requests, mut responses) = world.streaming(path, &How::default());
        requests.half_close();
        assert_status(responses.recv().await, Code::Unimplemented, "none came");

        let (mut requests, mut responses) = world.streaming(path, &How::default());
        requests.send(&Bytes::new()).await.unwrap();
        requests.send(&Bytes::new()).await.unwrap();
        requests.half_close();
        assert_status(
            responses.recv().await,
            Code::Unimplemented,
            "a second one came",
        );
    }
    world.end().await;
}

#[tokio::test]
async fn messages_over_the_limits_name_size_limit_side_and_setting() {
    let world = world_with(1, |builder| {
        builder
            .max_receive_message_bytes(1000)
            .max_send_message_bytes(1999)
    })
    .await;
    let status = world.call(&"x".repeat(1001)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in [
        "1001 bytes",
        "1000 bytes",
        "server",
        "max_receive_message_bytes",
    ] {
        assert!(status.message().contains(part), "{status}");
    }
    let status = world.call("big").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in [
        "2000 bytes",
        "1999 bytes",
        "server",
        "max_send_message_bytes",
    ] {
        assert!(status.message().contains(part), "{status}");
    }
    assert_eq!(world.call("fine").await.unwrap(), "fine");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_handlers_meet_at_a_barrier() {
    let world = world_with(1000, |builder| builder.http2(many_streams())).await;
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let mut responses = world.single(CALL, "barrier", &How::default());
            tokio::spawn(async move { only(&mut responses).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "barrier");
    }
    let stats = world.until(|stats| stats.rpcs_completed == 1000).await;
    assert_eq!(stats.connections_accepted, 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_stop_other_connections() {
    let world = world().await;
    let mut blocked = world.single(CALL, "block", &How::default());
    world.until(|stats| stats.live_rpcs == 1).await;
    let other = crate::support::connect(&world.connector).await;
    let mut quick = crate::support::single(&other, CALL, b"quick", &How::default());
    let started = std::time::Instant::now();
    assert_eq!(only(&mut quick).await.unwrap(), "quick");
    assert!(started.elapsed() < Duration::from_millis(800));
    assert_eq!(only(&mut blocked).await.unwrap(), "block");
    world.end().await;
}
