//! Requests that reach no handler.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response};
use trunkline_core::{
    Code, Codec, CodecError, CompressorRegistry, Decoder, Encoder, Method, MethodDescriptor,
    Payload, RawCodec, ServiceDescriptor, Shape,
};
use trunkline_server::{
    GrpcService, Incoming, MethodTable, Outcome, RequestContext, Router, Serve, Server,
};
use trunkline_transport::credentials::Insecure;
use trunkline_transport::{Address, Connector, memory};

use crate::service::{CALL, Service, State};
use crate::support::{How, assert_status, only, world, world_with};

#[tokio::test]
async fn unknown_names_are_unimplemented_and_named() {
    let world = world().await;
    for (path, text) in [
        (
            "/test.Service/Nope",
            "unknown method Nope for service test.Service",
        ),
        ("/test.Other/Call", "unknown service test.Other"),
        (
            "/test.Service/call",
            "unknown method call for service test.Service",
        ),
        ("/test.Service/Call/", "malformed path"),
        ("//test.Service/Call", "malformed path"),
        ("/test.Service/Call?x=y", "malformed path"),
        ("/test.Service%2FCall", "malformed path"),
        ("/test.Service/C%61ll", "malformed path"),
    ] {
        let mut responses = world.single(path, "x", &How::default());
        assert_status(responses.recv().await, Code::Unimplemented, text);
    }
    let stats = world.stats();
    assert_eq!((stats.requests_rejected, stats.rpcs_started), (8, 0));
    assert_eq!(world.call("fine").await.unwrap(), "fine");
    world.end().await;
}

/// A codec that knows its own name only.
#[derive(Clone, Debug, Default)]
struct Strict;

impl Codec for Strict {
    fn for_subtype(subtype: &str) -> Option<Self> {
        (subtype == "strict").then_some(Self)
    }

    fn subtype(&self) -> &'static str {
        "strict"
    }
}

impl Encoder<Bytes> for Strict {
    fn encoded_len(&self, message: &Bytes) -> usize {
        RawCodec.encoded_len(message)
    }

    fn encode(&self, message: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        assert_ne!(message, "panic", "codecs may panic too");
        RawCodec.encode(message, out)
    }
}

impl Decoder<Bytes> for Strict {
    fn decode(&self, message: Payload) -> Result<Bytes, CodecError> {
        RawCodec.decode(message)
    }
}

struct StrictEcho;

impl Method for StrictEcho {
    type Request = Bytes;
    type Response = Bytes;
    type Codec = Strict;
    const DESCRIPTOR: &'static MethodDescriptor =
        &MethodDescriptor::new("test.Strict", "Echo", "/test.Strict/Echo", Shape::Unary);
}

impl Serve<()> for StrictEcho {
    async fn serve((): &(), _: &RequestContext, call: Incoming<Self>) -> Outcome {
        match call.only().await {
            Ok((request, call)) => call.reply(async { Ok(request.into()) }).await,
            Err(outcome) => outcome,
        }
    }
}

struct StrictService;

impl GrpcService for StrictService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        static SERVICE: ServiceDescriptor =
            ServiceDescriptor::new("test.Strict", &[StrictEcho::DESCRIPTOR]);
        &SERVICE
    }

    fn register(self, methods: &mut MethodTable) {
        methods.add::<StrictEcho, ()>(&Arc::new(()));
    }
}

#[tokio::test]
async fn the_codec_is_the_one_that_the_client_named() {
    let world = world_with(1, |builder| builder.add_service(StrictService)).await;
    for (subtype, message, end) in [
        ("", "x", Ok(())),
        ("strict", "x", Ok(())),
        (
            "json",
            "x",
            Err((Code::Unimplemented, "unknown content subtype \"json\"")),
        ),
        ("strict", "panic", Err((Code::Internal, "handler panicked"))),
    ] {
        let how = How {
            subtype,
            ..How::default()
        };
        let result = only(&mut world.single("/test.Strict/Echo", message, &how)).await;
        match end {
            Ok(()) => assert_eq!(result.unwrap(), "x"),
            Err((code, text)) => assert_status(result, code, text),
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_no_grpc_request_is_answered_as_http_says() {
    let world = world().await;
    let io = world
        .connector
        .connect(&Address::Memory("test".into()))
        .await
        .unwrap();
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    let driver = tokio::spawn(connection);
    let send = async |request: http::request::Builder| -> Response<h2::RecvStream> {
        let mut client = client.clone().ready().await.unwrap();
        let (response, mut body) = client
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        body.send_data(Bytes::from_static(b"\0\0\0\0\0"), true)
            .unwrap();
        response.await.unwrap()
    };
    let uri = format!("http://test{CALL}");
    let request = |method: &str| Request::builder().method(method).uri(&uri);
    let grpc = "application/grpc";

    let response = send(request("GET").header("content-type", grpc)).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "POST");

    for wrong in ["application/grpc-web", "application/json", "text/html"] {
        let response = send(request("POST").header("content-type", wrong)).await;
        assert_eq!(response.status(), 415, "{wrong}");
    }
    assert_eq!(send(request("POST")).await.status(), 415);

    let timed = request("POST").header("content-type", grpc);
    let response = send(timed.header("grpc-timeout", "5 seconds")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "13");

    let encoded = request("POST").header("content-type", grpc);
    let response = send(encoded.header("grpc-encoding", "snappy")).await;
    assert_eq!(response.headers()["grpc-status"], "12");
    let known = CompressorRegistry::default();
    let identity = HeaderValue::from_static("identity");
    let would_do = known.accept_encoding().unwrap_or(&identity);
    assert_eq!(response.headers()["grpc-accept-encoding"], would_do);

    assert_eq!(world.stats().rpcs_started, 0);
    assert_eq!(world.stats().requests_rejected, 7);
    driver.abort();
    world.end().await;
}

#[tokio::test]
async fn a_service_added_twice_is_named() {
    let service = || Service(State::new(1));
    let (_, listener) = memory::pair("test");
    let twice = Server::insecure()
        .add_service(service())
        .add_service(service());
    let status = twice.listen(listener).unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains("test.Service"), "{status}");

    let (_, listener) = memory::pair("test");
    let merged = Server::insecure()
        .add_service(service())
        .router(Router::new().add_service(service()));
    assert_status(merged.listen(listener), Code::AlreadyExists, "test.Service");
}

#[tokio::test]
async fn plaintext_must_be_asked_for() {
    let (_, listener) = memory::pair("test");
    let status = Server::builder().listen(listener).unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let text = status.message();
    assert!(
        text.starts_with("no credentials for memory:test: "),
        "{text}"
    );
    assert!(text.contains(".insecure()"), "{text}");
}

#[tokio::test]
async fn plaintext_and_credentials_exclude_each_other() {
    let (_, listener) = memory::pair("test");
    let both = Server::insecure().credentials(Insecure);
    let status = both.listen(listener).unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status.message().contains("leave one of them out"),
        "{status}"
    );
}
