//! Unary calls: what goes over the wire, and what comes back.

use std::time::Duration;

use http::Response;
use trunkline_client::Channel;
use trunkline_core::{Code, Inherited, Origin};

use super::support::{Exchange, One, bytes, frame, headers, ok, pair};

#[tokio::test(start_paused = true)]
async fn head_message_answer_and_metadata_round_trip() {
    let (builder, mut peer) = pair(100);
    let channel = builder.user_agent("mine/1").build().unwrap();
    let mut inherited = Inherited::new();
    inherited.metadata.insert("trace", "t1").unwrap();
    let server = async {
        let mut exchange = peer.next().await;
        assert_eq!(exchange.head.method, "POST");
        assert_eq!(exchange.head.uri.path(), "/test.T/One");
        assert_eq!(exchange.head.uri.authority().unwrap().as_str(), "peer");
        assert_eq!(exchange.header("te"), "trailers");
        assert_eq!(exchange.header("content-type"), "application/grpc");
        assert!(
            exchange
                .header("user-agent")
                .starts_with("mine/1 grpc-rust-trunkline/")
        );
        assert_eq!(exchange.header("tenant"), "a");
        assert_eq!(exchange.header("trace"), "t1");
        assert_eq!(exchange.header("raw-bin"), "AP8");
        assert_eq!(exchange.header("grpc-timeout"), "2000000u");
        assert_eq!(exchange.message().await.unwrap().unwrap(), "hello");
        assert!(exchange.message().await.unwrap().is_none(), "END_STREAM");
        let mut head = headers();
        head.headers_mut().insert("greeting", "x".parse().unwrap());
        let mut stream = exchange.respond.send_response(head, false).unwrap();
        stream.send_data(frame("world"), false).unwrap();
        let mut trailers = ok();
        trailers.insert("cost", "7".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    };
    let call = channel
        .unary::<One>(bytes("hello"))
        .timeout(Duration::from_secs(2))
        .metadata("tenant", "a")
        .metadata_bin("raw-bin", [0, 255])
        .within(inherited);
    let (reply, ()) = tokio::join!(call.into_future(), server);
    let reply = reply.unwrap();
    assert_eq!(reply.message(), "world");
    assert_eq!(reply.headers().get("greeting"), Some("x"));
    assert_eq!(reply.trailers().get("cost"), Some("7"));
}

/// Makes one call, lets the peer do this with it, and gives the error.
async fn error_of<F: Future<Output = ()>>(script: impl FnOnce(Exchange) -> F) -> String {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async { script(peer.next().await).await };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    reply.expect_err("an error").to_string()
}

#[tokio::test(start_paused = true)]
async fn exactly_one_response_message() {
    let error = error_of(|exchange| async { exchange.reply(&[]) }).await;
    assert!(
        error.starts_with("UNIMPLEMENTED: /test.T/One: response: "),
        "{error}"
    );
    assert!(error.contains("without its response message"), "{error}");
    let error = error_of(|exchange| async { exchange.reply(&["a", "b"]) }).await;
    assert!(error.starts_with("UNIMPLEMENTED: /test.T/One: "), "{error}");
    assert!(
        error.contains("more than the one response message"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_of_the_server_keeps_code_message_metadata_and_origin() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let server = async {
        let mut exchange = peer.next().await;
        let mut response = headers();
        let fields = response.headers_mut();
        fields.insert("grpc-status", "5".parse().unwrap());
        fields.insert("grpc-message", "no%20such%20thing".parse().unwrap());
        fields.insert("why", "because".parse().unwrap());
        exchange.respond.send_response(response, true).unwrap();
    };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    let status = reply.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "no such thing");
    assert_eq!(status.metadata().get("why"), Some("because"));
    assert_eq!(status.origin(), Origin::Peer);
    assert_eq!(status.method(), Some("/test.T/One"));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_answers_html_is_named_as_such() {
    let error = error_of(|mut exchange| async move {
        let response = Response::builder()
            .status(502)
            .header("content-type", "text/html");
        let mut stream = exchange
            .respond
            .send_response(response.body(()).unwrap(), false)
            .unwrap();
        stream
            .send_data("<html>Bad gateway</html>".into(), true)
            .unwrap();
    })
    .await;
    assert!(error.starts_with("UNAVAILABLE: /test.T/One: "), "{error}");
    for part in [
        "memory:peer",
        "HTTP 502",
        "text/html",
        "<html>Bad gateway</html>",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_names_reason_and_address() {
    let error = error_of(|mut exchange| async move {
        exchange.respond.send_reset(h2::Reason::ENHANCE_YOUR_CALM);
    })
    .await;
    assert!(
        error.starts_with("RESOURCE_EXHAUSTED: /test.T/One: "),
        "{error}"
    );
    assert!(
        error.contains("ENHANCE_YOUR_CALM") || error.contains("calm"),
        "{error}"
    );
    assert!(error.contains("memory:peer"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn bad_metadata_fails_at_the_await_and_names_the_key() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let call = channel.unary::<One>(bytes("x"));
    let status = call
        .metadata("ok", "1")
        .metadata("Not A Key", "1")
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.to_string().contains("\"Not A Key\""), "{status}");
    assert!(status.to_string().contains("/test.T/One"), "{status}");
    assert!(peer.calls.try_recv().is_err(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn message_limits_name_size_limit_side_and_setting() {
    let (builder, mut peer) = pair(100);
    let channel = builder.max_send_message_bytes(5).build().unwrap();
    let status = channel.unary::<One>(bytes("123456")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in [
        "6 bytes",
        "5 bytes",
        "client, sending",
        "max_send_message_bytes",
        "/test.T/One",
    ] {
        assert!(
            status.to_string().contains(part),
            "{part} is missing in: {status}"
        );
    }

    let call = channel
        .unary::<One>(bytes("123456"))
        .max_send_message_bytes(6)
        .max_receive_message_bytes(4);
    let server = async { peer.next().await.reply(&["12345"]) };
    let (reply, ()) = tokio::join!(call.into_future(), server);
    let status = reply.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in [
        "5 bytes",
        "4 bytes",
        "client, receiving",
        "max_receive_message_bytes",
    ] {
        assert!(
            status.to_string().contains(part),
            "{part} is missing in: {status}"
        );
    }

    let server = async { peer.next().await.reply(&["fine"]) };
    let (reply, ()) = tokio::join!(channel.unary::<One>(bytes("x")).into_future(), server);
    assert_eq!(reply.unwrap().message(), "fine");
    assert_eq!(peer.connections(), 1, "neither error cost the connection");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_resets_the_stream() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let call = tokio::spawn(channel.unary::<One>(bytes("x")).owned());
    let exchange = peer.next().await;
    call.abort();
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
}

#[test]
fn outside_of_a_runtime_a_call_fails_and_does_not_panic() {
    let channel = Channel::insecure("127.0.0.1:1").unwrap();
    let mut call = std::pin::pin!(channel.unary::<One>(bytes("x")).into_future());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(status)) = call.as_mut().poll(&mut cx) else {
        panic!("not ready");
    };
    assert!(
        status.to_string().contains("outside of a tokio runtime"),
        "{status}"
    );
    let std::task::Poll::Ready(Err(status)) = call.as_mut().poll(&mut cx) else {
        panic!("not ready");
    };
    assert!(status.to_string().contains("polled again"), "{status}");
}

#[test]
fn the_channel_outlives_the_runtime_that_ran_it() {
    let (builder, mut peer) = {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let (builder, peer) = pair(100);
        // The peer's runtime stays; only the client's is dropped.
        std::mem::forget(runtime);
        (builder, peer)
    };
    let channel = builder.build().unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for _ in 0..2 {
                let server = async { peer.next().await.reply(&["y"]) };
                let call = channel
                    .unary::<One>(bytes("x"))
                    .timeout(Duration::from_secs(10));
                let (reply, ()) = tokio::join!(call.into_future(), server);
                assert_eq!(reply.unwrap().message(), "y");
            }
        });
    }
    assert_eq!(peer.connections(), 3, "one per runtime");
}

#[tokio::test(start_paused = true)]
async fn connections_close_once_channel_and_calls_are_gone() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let call = tokio::spawn(channel.unary::<One>(bytes("x")).owned());
    let exchange = peer.next().await;
    drop(channel);
    tokio::time::sleep(Duration::from_secs(1)).await;
    exchange.reply(&["late"]);
    let reply = call.await.unwrap().unwrap();
    assert_eq!(reply.into_parts().1, "late");
    // The scripted peer's connection task ends with its socket, and with it the sender of calls
    // that it holds; the listener's task still has one.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(peer.calls.sender_strong_count(), 1);
}
