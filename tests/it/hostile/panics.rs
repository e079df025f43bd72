//! Code of users that panics beside handlers: hooks and codecs. Each ends its own call alone, and
//! leaks nothing of what it said. Handlers, their children and interceptors are in `panics`,
//! compressors in `compression`.

use std::any::Any;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use trunkline::client::{CallContext, Next as Onward};
use trunkline::server::{Incoming, Interceptor, Next, Outcome, Router, Serve};
use trunkline::transport::stream::MessageHook;
use trunkline::{
    Code, Codec, CodecError, Decoder, Encoder, Method, MethodDescriptor, Payload, RequestContext,
    Response, Shape, Status, Trailers,
};
use trunkline_test_protos::echo::Note;

use crate::handlers::{note, plain};
use crate::panics::{SECRET, quiet_panics};
use crate::support::{Served, Wire, framed, last_data, note as raw_note, request};
use crate::world::{World, soon};

/// Panics at the messages that ask for it.
struct Fuse;

impl MessageHook for Fuse {
    fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
        match message.downcast_ref::<Note>() {
            Some(note) if note.text == "received" => panic!("{SECRET}"),
            _ => Ok(()),
        }
    }

    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        match message.downcast_ref::<Note>() {
            Some(note) if note.text == "sending" => panic!("{SECRET}"),
            _ => Ok(()),
        }
    }
}

struct Fused;

impl Interceptor for Fused {
    async fn intercept(&self, cx: RequestContext, mut next: Next<'_>) -> Result<Trailers, Status> {
        next.hook(Fuse);
        next.run(cx).await
    }
}

#[track_caller]
fn is_kept_secret(status: &Status) {
    assert_eq!(status.code(), Code::Internal, "{status}");
    let all = format!("{status:?} {status}");
    assert!(!all.contains("secret") && !all.contains(".rs"), "{all}");
}

#[tokio::test]
async fn a_panic_of_a_servers_hook_ends_its_own_call_alone() {
    quiet_panics();
    let world = World::tcp_with(plain().intercept(Fused), |channel| {
        channel.max_connections(1)
    })
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    soon(sender.send(&note("before"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("before")));

    for text in ["received", "sending"] {
        is_kept_secret(&soon(echo.once(note(text))).await.unwrap_err());
        let (mut other, mut notes) = soon(echo.chat()).await.unwrap();
        soon(other.send(&note(text))).await.unwrap();
        is_kept_secret(&soon(notes.recv()).await.unwrap_err());
    }

    soon(sender.send(&note("after"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("after")));
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(
        (stats.rpcs_panicked, stats.connections_accepted),
        (4, 1),
        "{stats:?}"
    );
    drop((receiver, echo));
    world.end().await;
}

/// It is the caller's own panic: it gets that, and nobody else notices.
#[tokio::test]
async fn a_panic_of_a_clients_hook_is_its_callers_own() {
    quiet_panics();
    let world = World::tcp_with(plain(), |channel| {
        channel
            .max_connections(1)
            .intercept(|mut call: CallContext, next: Onward| async move {
                call.hook(Fuse);
                next.start(call).await
            })
    })
    .await;
    let echo = world.echo();
    for text in ["sending", "received"] {
        let calls = echo.clone();
        let unary = tokio::spawn(async move { calls.once(note(text)).await.map(drop) });
        assert!(soon(unary).await.unwrap_err().is_panic(), "{text}");
        let calls = echo.clone();
        let streaming = tokio::spawn(async move {
            let (mut sender, mut notes) = calls.chat().await.unwrap();
            sender.send(&note(text)).await.unwrap();
            notes.recv().await.map(drop)
        });
        assert!(soon(streaming).await.unwrap_err().is_panic(), "{text}");
        assert_eq!(soon(echo.once(note("well"))).await.unwrap().text, "well");
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

/// A codec that panics at the messages that ask for it.
#[derive(Clone, Default)]
struct Careless;

impl Codec for Careless {
    fn for_subtype(subtype: &str) -> Option<Self> {
        (subtype == "proto").then_some(Self)
    }

    fn subtype(&self) -> &'static str {
        "proto"
    }
}

impl Encoder<Bytes> for Careless {
    fn encoded_len(&self, message: &Bytes) -> usize {
        assert_ne!(message, "measured", "{SECRET}");
        message.len()
    }

    fn encode(&self, message: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        if message == "encoded" {
            panic!("{SECRET}");
        }
        out.put_slice(message);
        Ok(())
    }
}

impl Decoder<Bytes> for Careless {
    fn decode(&self, message: Payload) -> Result<Bytes, CodecError> {
        let message = message.into_bytes();
        if message == "decoded" {
            panic!("{SECRET}");
        }
        Ok(message)
    }
}

struct Go;

impl Method for Go {
    type Request = Bytes;
    type Response = Bytes;
    type Codec = Careless;
    const DESCRIPTOR: &'static MethodDescriptor =
        &MethodDescriptor::new("tests.Careless", "Go", "/tests.Careless/Go", Shape::Unary);
}

struct Service;

impl Serve<Service> for Go {
    async fn serve(_: &Service, _: &RequestContext, call: Incoming<Self>) -> Outcome {
        match call.only().await {
            Ok((request, call)) => call.reply(async { Ok(Response::new(request)) }).await,
            Err(outcome) => outcome,
        }
    }
}

#[tokio::test]
async fn a_panic_of_a_codec_ends_its_own_call_alone() {
    quiet_panics();
    let careless = Router::new().add_method::<Go, Service>(&Arc::new(Service));
    let mut served = Served::with(|server| server.router(careless));
    let mut peer = served.connect().await;
    peer.send(request(1, "/tests.echo.Echo/Chat")).await;
    for (stream, message) in [(3, "decoded"), (5, "encoded"), (7, "fine")] {
        let question = Wire::from(request(stream, "/tests.Careless/Go"));
        peer.send(question.and(last_data(stream, framed(message))))
            .await;
        let answer = peer.expect_end(stream).await;
        if message == "fine" {
            assert_eq!((answer.code(), answer.body), (Some(0), framed("fine")));
            continue;
        }
        assert_eq!(answer.code(), Some(Code::Internal.number()), "{answer:?}");
        let shown = format!("{answer:?}");
        assert!(
            !shown.contains("secret") && !shown.contains(".rs"),
            "{shown}"
        );
    }
    // The stream that was open all the time.
    peer.send(last_data(1, raw_note("still here"))).await;
    let answer = peer.expect_end(1).await;
    assert_eq!(
        (answer.code(), answer.body),
        (Some(0), raw_note("still here"))
    );
    assert_eq!(served.handle.stats().rpcs_panicked, 2);
    assert!(matches!(
        served.heard().await,
        crate::support::Heard::Message(_)
    ));
    drop(peer);
    served.end().await;
}
