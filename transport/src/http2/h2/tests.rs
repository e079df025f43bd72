//! The engine against itself, over the in-memory pipe.

mod ends;
mod preface;
mod rest;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::Authority;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use trunkline_core::protocol::read_request;
use trunkline_core::{Code, CompressorRegistry, FrameEncoder, Metadata, RawCodec, Status};

use crate::http2::{
    ClientConfig, ClientConnection, Finished, RequestHead, ResponseForm, ServerConfig,
    ServerConnection, ServerStream, SharedStream, Usage,
};
use crate::stream::{RecvHalf, SendHalf};
use crate::{Address, Peer, memory};

const LIMIT: usize = 4 << 20;

struct World {
    client: ClientConnection,
    streams: mpsc::UnboundedReceiver<ServerStream>,
    server: JoinHandle<Result<(), Status>>,
}

async fn world(config: ServerConfig) -> World {
    world_that(config, |_| {}).await
}

async fn world_that(
    config: ServerConfig,
    prepare: impl FnOnce(&mut ServerConnection) + Send + 'static,
) -> World {
    let (near, far) = memory::pipe();
    let (sender, streams) = mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        let mut connection = ServerConnection::handshake(far, peer(), &config).await?;
        prepare(&mut connection);
        while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
            let _ = sender.send(stream?);
        }
        Ok(())
    });
    let config = ClientConfig::default();
    let client = ClientConnection::handshake(near, peer(), &config, Arc::new(Notify::new()))
        .await
        .unwrap();
    World {
        client,
        streams,
        server,
    }
}

fn peer() -> Peer {
    Peer::new(Address::Memory("test".into()))
}

fn head<'a>(
    authority: &'a Authority,
    agent: &'a HeaderValue,
    none: &'a Metadata,
) -> RequestHead<'a> {
    RequestHead {
        path: "/test.Echo/Call",
        authority,
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        timeout: Some(Duration::from_secs(9)),
        user_agent: agent,
        metadata: none,
    }
}

fn form() -> ResponseForm {
    ResponseForm {
        subtype: "proto",
        encoding: None,
    }
}

impl World {
    fn bidi(&self) -> (SendHalf<Bytes>, RecvHalf<Bytes>) {
        let authority = Authority::from_static("test");
        let agent = HeaderValue::from_static("agent");
        let none = Metadata::new();
        let permit = self.client.try_permit().unwrap();
        let head = head(&authority, &agent, &none);
        let (send, recv) = self.client.start_streaming(permit, &head, LIMIT).unwrap();
        (
            SendHalf::client(send, Box::new(RawCodec), LIMIT),
            RecvHalf::client(recv, Box::new(RawCodec)),
        )
    }

    fn unary(&self, message: &'static str) -> RecvHalf<Bytes> {
        self.unary_of(frame(message))
    }

    fn unary_of(&self, frame: Bytes) -> RecvHalf<Bytes> {
        let authority = Authority::from_static("test");
        let agent = HeaderValue::from_static("agent");
        let none = Metadata::new();
        let permit = self.client.try_permit().unwrap();
        let head = head(&authority, &agent, &none);
        let recv = self.client.start_single(permit, &head, frame, LIMIT);
        RecvHalf::client(recv.unwrap(), Box::new(RawCodec))
    }

    async fn accept(&mut self) -> (SendHalf<Bytes>, RecvHalf<Bytes>, SharedStream) {
        let mut stream = self.streams.recv().await.unwrap();
        let method = stream.http_method().to_owned();
        let fields =
            read_request(&method, stream.take_fields(), &CompressorRegistry::empty()).unwrap();
        assert_eq!(fields.timeout, Some(Duration::from_secs(9)));
        let (body, responder) = stream.into_parts();
        let shared = responder.share(body, form());
        (
            SendHalf::server(shared.clone(), Box::new(RawCodec), LIMIT),
            RecvHalf::server_shared(shared.clone(), Box::new(RawCodec), LIMIT),
            shared,
        )
    }
}

fn frame(message: &'static str) -> Bytes {
    let mut out = bytes::BytesMut::new();
    FrameEncoder::new(LIMIT)
        .encode(&Bytes::from_static(message.as_bytes()), &RawCodec, &mut out)
        .unwrap();
    out.freeze()
}

#[tokio::test]
async fn a_unary_call_goes_there_and_back() {
    let mut world = world(ServerConfig::default()).await;
    let mut answer = world.unary("ping");
    assert_eq!(world.client.usage().in_use, 1);
    let stream = world.streams.recv().await.unwrap();
    assert_eq!(stream.path(), "/test.Echo/Call");
    let (body, responder) = stream.into_parts();
    let mut request = RecvHalf::<Bytes>::server(body, Box::new(RawCodec), LIMIT);
    assert_eq!(request.recv().await.unwrap().unwrap(), "ping");
    assert!(request.recv().await.unwrap().is_none());
    let mut trailers = Metadata::new();
    trailers.insert("x-last", "yes").unwrap();
    responder.reply(&form(), &Metadata::new(), frame("pong"), &trailers);
    assert_eq!(answer.recv().await.unwrap().unwrap(), "pong");
    assert!(answer.recv().await.unwrap().is_none());
    assert_eq!(answer.trailers().get("x-last"), Some("yes"));
    assert_eq!(
        world.client.usage().in_use,
        0,
        "free at once: both sides had ended it"
    );
}

#[tokio::test]
async fn a_status_alone_reaches_the_client() {
    let mut world = world(ServerConfig::default()).await;
    let mut answer = world.unary("ping");
    let (_, responder) = world.streams.recv().await.unwrap().into_parts();
    responder.fail(&Status::not_found("no such thing"));
    let error = answer.recv().await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::NotFound, "no such thing")
    );
    assert_eq!(
        answer.recv().await.unwrap_err().code(),
        Code::NotFound,
        "sticky"
    );
}

#[tokio::test]
async fn both_sides_send_while_they_receive() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, mut recv) = world.bidi();
    let (mut respond, mut requests, shared) = world.accept().await;
    let messages = 5_000_u32;
    let text = |n: u32| Bytes::from(vec![n as u8; n as usize % 700]);
    let sending = tokio::spawn(async move {
        for n in 0..messages {
            send.send(&text(n)).await.unwrap();
        }
        send.half_close();
    });
    let echo = tokio::spawn(async move {
        while let Some(message) = requests.recv().await.unwrap() {
            respond.send(&message).await.unwrap();
        }
        shared.finish(Ok(&Metadata::new()));
    });
    for n in 0..messages {
        assert_eq!(recv.recv().await.unwrap().unwrap(), text(n));
    }
    assert!(recv.recv().await.unwrap().is_none());
    sending.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn a_sender_waits_for_a_reader_that_stops() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, _recv) = world.bidi();
    let (_respond, mut requests, _shared) = world.accept().await;
    let message = Bytes::from(vec![7; 10_000]);
    let sent = tokio::spawn(async move {
        let mut sent = 0;
        while tokio::time::timeout(Duration::from_secs(1), send.send(&message))
            .await
            .is_ok()
        {
            sent += 1;
        }
        (sent, send)
    });
    let (sent, mut send) = sent.await.unwrap();
    assert!(
        (26..80).contains(&sent),
        "{sent} messages of 10 kB against 256 KiB of window"
    );
    // The reader goes on: all that was taken arrives, and the sender may go on too.
    for _ in 0..sent {
        assert_eq!(requests.recv().await.unwrap().unwrap().len(), 10_000);
    }
    send.send(&Bytes::from_static(b"last")).await.unwrap();
    assert_eq!(requests.recv().await.unwrap().unwrap(), "last");
}

#[tokio::test]
async fn a_dropped_sender_cancels_and_says_so() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, mut recv) = world.bidi();
    send.send(&Bytes::from_static(b"one")).await.unwrap();
    let (_respond, mut requests, shared) = world.accept().await;
    assert_eq!(requests.recv().await.unwrap().unwrap(), "one");
    drop(send);
    let seen = requests.recv().await.unwrap_err();
    assert_eq!(seen.code(), Code::Cancelled);
    assert!(seen.message().contains("CANCEL"), "{seen}");
    assert_eq!(
        poll_fn(|cx| shared.poll_reset(cx)).await.code(),
        Code::Cancelled
    );
    let own = recv.recv().await.unwrap_err();
    assert!(own.message().contains("without finish()"), "{own}");
}

#[tokio::test]
async fn the_end_of_the_rpc_ends_a_half_that_was_moved_away() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, mut recv) = world.bidi();
    let (mut respond, mut requests, shared) = world.accept().await;
    let elsewhere = tokio::spawn(async move { requests.recv().await });
    tokio::task::yield_now().await;
    shared.finish(Err(&Status::aborted("enough")));
    assert_eq!(elsewhere.await.unwrap().unwrap_err().code(), Code::Aborted);
    assert_eq!(
        respond.send(&Bytes::new()).await.unwrap_err().code(),
        Code::Aborted
    );
    assert_eq!(recv.recv().await.unwrap_err().code(), Code::Aborted);
    let error = send.send(&Bytes::new()).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::Aborted,
        "the sender fails with the server's status"
    );
}

#[tokio::test]
async fn a_sender_without_window_learns_that_the_server_has_answered() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, mut recv) = world.bidi();
    let (_respond, _requests, shared) = world.accept().await;
    let stuck = tokio::spawn(async move {
        let message = Bytes::from(vec![0; 100_000]);
        loop {
            if let Err(status) = send.send(&message).await {
                return status;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    shared.finish(Err(&Status::out_of_range("too much")));
    assert_eq!(recv.recv().await.unwrap_err().code(), Code::OutOfRange);
    let seen = stuck.await.unwrap();
    assert!(
        matches!(seen.code(), Code::OutOfRange | Code::Cancelled),
        "{seen}"
    );
}

#[tokio::test]
async fn calls_cancelled_at_the_stream_limit_all_reach_the_server() {
    let config = ServerConfig {
        max_concurrent_streams: 10,
        ..ServerConfig::default()
    };
    let mut world = world(config).await;
    for round in 0..20 {
        let mut calls = Vec::new();
        while let Some(permit) = world.client.try_permit() {
            drop(permit);
            calls.push(world.unary("ping"));
        }
        drop(calls);
        if round % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    while world.client.usage().in_use > 0 {
        tokio::task::yield_now().await;
    }
    // Behind all of them, so that the server has seen them all.
    let last = world.unary("last");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut seen = Vec::new();
    while let Ok(stream) = world.streams.try_recv() {
        seen.push(stream.into_parts());
    }
    let (_, answer) = seen.pop().unwrap();
    answer.fail(&Status::aborted("the one that was not cancelled"));
    for (_, mut responder) in seen {
        let reset = poll_fn(|cx| responder.poll_reset(cx));
        let reset = tokio::time::timeout(Duration::from_secs(5), reset).await;
        reset.expect("a cancelled call was never reset");
    }
    drop(last);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(
        world.client.usage(),
        Usage {
            in_use: 0,
            limit: 10
        }
    );
}

#[tokio::test]
async fn the_call_that_took_the_last_stream_can_be_cancelled() {
    let config = ServerConfig {
        max_concurrent_streams: 1,
        ..ServerConfig::default()
    };
    let mut world = world(config).await;
    for _ in 0..3 {
        let call = world.unary("ping");
        let (_, mut responder) = world.streams.recv().await.unwrap().into_parts();
        drop(call);
        let reset = poll_fn(|cx| responder.poll_reset(cx));
        let reset = tokio::time::timeout(Duration::from_secs(5), reset).await;
        reset.expect("the call was never reset");
        drop(responder);
        while world.client.usage().in_use > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_refused_stream_goes_on_elsewhere_with_all_that_was_sent() {
    let refusing = world_that(ServerConfig::default(), ServerConnection::refuse_new).await;
    let mut willing = world(ServerConfig::default()).await;
    let (mut send, mut recv) = refusing.bidi();
    for text in ["one", "two"] {
        send.send(&Bytes::from_static(text.as_bytes()))
            .await
            .unwrap();
    }
    let refused = recv.recv().await.unwrap_err();
    assert!(refused.is_unprocessed() && recv.may_restart(), "{refused}");
    // The sender knows nothing of it.
    send.send(&Bytes::from_static(b"three")).await.unwrap();

    let authority = Authority::from_static("test");
    let agent = HeaderValue::from_static("agent");
    let none = Metadata::new();
    let permit = willing.client.try_permit().unwrap();
    recv.restart(&willing.client, permit, &head(&authority, &agent, &none))
        .unwrap();
    send.send(&Bytes::from_static(b"four")).await.unwrap();
    let (mut respond, mut requests, shared) = willing.accept().await;
    for text in ["one", "two", "three", "four"] {
        assert_eq!(requests.recv().await.unwrap().unwrap(), text);
    }
    respond.send(&Bytes::from_static(b"done")).await.unwrap();
    assert_eq!(recv.recv().await.unwrap().unwrap(), "done");
    send.half_close();
    assert!(requests.recv().await.unwrap().is_none());
    shared.finish(Ok(&Metadata::new()));
    assert!(recv.recv().await.unwrap().is_none());
    assert_eq!(refusing.client.usage().in_use, 0);
}

#[tokio::test]
async fn a_stream_is_restarted_finished_too_but_only_once() {
    let refusing = world_that(ServerConfig::default(), ServerConnection::refuse_new).await;
    let mut willing = world(ServerConfig::default()).await;
    let (mut send, mut recv) = refusing.bidi();
    send.send(&Bytes::from_static(b"all")).await.unwrap();
    send.half_close();
    assert!(recv.recv().await.is_err() && recv.may_restart());
    let authority = Authority::from_static("test");
    let agent = HeaderValue::from_static("agent");
    let none = Metadata::new();
    let head = head(&authority, &agent, &none);
    let permit = willing.client.try_permit().unwrap();
    recv.restart(&willing.client, permit, &head).unwrap();
    let (_respond, mut requests, _shared) = willing.accept().await;
    assert_eq!(requests.recv().await.unwrap().unwrap(), "all");
    assert!(requests.recv().await.unwrap().is_none());

    let (mut send, mut recv) = refusing.bidi();
    send.send(&Bytes::from_static(b"all")).await.unwrap();
    assert!(recv.recv().await.is_err() && recv.may_restart());
    let permit = refusing.client.try_permit().unwrap();
    recv.restart(&refusing.client, permit, &head).unwrap();
    let again = recv.recv().await.unwrap_err();
    assert!(again.is_unprocessed() && !recv.may_restart(), "once");
    assert!(send.send(&Bytes::from_static(b"more")).await.is_err());
}

#[tokio::test]
async fn a_call_that_has_sent_much_is_not_restarted() {
    let refusing = world_that(ServerConfig::default(), ServerConnection::refuse_new).await;
    let (mut send, mut recv) = refusing.bidi();
    let much = Bytes::from(vec![0; 300_000]);
    send.send(&much).await.unwrap();
    let refused = recv.recv().await.unwrap_err();
    assert!(refused.is_unprocessed() && !recv.may_restart(), "{refused}");
    assert!(send.send(&much).await.is_err());
}

#[tokio::test]
async fn cancelling_all_calls_at_once_leaves_the_connection_healthy() {
    let mut world = world(ServerConfig::default()).await;
    for _ in 0..3 {
        let calls: Vec<_> = (0..256).map(|_| world.unary("ping")).collect();
        drop(calls);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while world.streams.try_recv().is_ok() {}
    let mut answer = world.unary("ping");
    let (_, responder) = world.streams.recv().await.unwrap().into_parts();
    responder.fail(&Status::aborted("alive"));
    assert_eq!(answer.recv().await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn an_idle_sender_learns_that_the_rpc_has_ended() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, _recv) = world.bidi();
    let (mut respond, requests, shared) = world.accept().await;
    let client = tokio::spawn(async move { poll_fn(|cx| send.poll_closed(cx)).await });
    let server = tokio::spawn(async move { poll_fn(|cx| respond.poll_closed(cx)).await });
    tokio::task::yield_now().await;
    drop(requests);
    shared.finish(Err(&Status::aborted("enough")));
    // Nobody reads on the client's side: its sender sees the reset behind the trailers.
    assert_eq!(client.await.unwrap().code(), Code::Cancelled);
    assert_eq!(server.await.unwrap().code(), Code::Aborted);
}

#[tokio::test]
async fn finishing_at_once_resets_only_what_cannot_be_told() {
    let mut world = world(ServerConfig::default()).await;
    let (_send, mut recv) = world.bidi();
    let (_respond, _requests, shared) = world.accept().await;
    assert_eq!(
        shared.finish_now(&Status::unavailable("bye")),
        Finished::Trailers
    );
    assert_eq!(recv.recv().await.unwrap_err().code(), Code::Unavailable);

    let (_send, _unread) = world.bidi();
    let (mut respond, _requests, shared) = world.accept().await;
    let message = Bytes::from(vec![0; 600_000]);
    respond.send(&message).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        shared.finish_now(&Status::unavailable("bye")),
        Finished::Reset
    );
}

#[tokio::test]
async fn what_had_arrived_before_a_cancel_is_still_read() {
    let mut world = world(ServerConfig::default()).await;
    let (_send, mut recv) = world.bidi();
    let (mut respond, _requests, _shared) = world.accept().await;
    for text in ["one", "two"] {
        respond
            .send(&Bytes::from_static(text.as_bytes()))
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    recv.cancel(Status::cancelled("enough"));
    assert_eq!(recv.recv().await.unwrap().unwrap(), "one");
    assert_eq!(recv.recv().await.unwrap().unwrap(), "two");
    assert_eq!(recv.recv().await.unwrap_err().message(), "enough");
}

#[tokio::test]
async fn the_connection_ends_with_its_last_handle() {
    let World { client, server, .. } = world(ServerConfig::default()).await;
    drop(client);
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_peer_that_allows_no_stream_is_ready_and_full() {
    let config = ServerConfig {
        max_concurrent_streams: 0,
        ..ServerConfig::default()
    };
    let world = world(config).await;
    assert_eq!(world.client.usage().limit, 0);
    assert!(world.client.try_permit().is_none());
}

#[tokio::test]
async fn a_server_that_is_gone_is_named_in_the_error() {
    let mut world = world(ServerConfig::default()).await;
    let mut answer = world.unary("ping");
    let _stream = world.streams.recv().await.unwrap();
    world.server.abort();
    let error = answer.recv().await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("memory:test"), "{error}");
    assert!(
        !error.is_unprocessed(),
        "it may have been processed: {error}"
    );
    let down = world.client.closed().await;
    assert_eq!(down.code(), Code::Unavailable);
    assert!(world.client.try_permit().is_none());
}
