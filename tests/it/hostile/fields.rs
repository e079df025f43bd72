//! Fields that are not for users to send or to see, and services that nobody has switched on.
//!
//! What is no HTTP at all is in `bad_requests` and `bad_answers`, what users may not set in
//! `metadata`.

use std::sync::{Arc, Mutex};

use trunkline::server::{Interceptor, Next};
use trunkline::{Code, RequestContext, Status, Trailers};

use crate::support::{
    Event, Headers, Heard, RawServer, Served, Wire, data, headers, last_data, note, request,
    trailers, within,
};

const ONCE: &str = "/tests.echo.Echo/Once";

/// Notes the names of the metadata that it sees.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl Interceptor for Witness {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let names = cx.metadata().iter().map(|(name, _)| name.to_string());
        self.0.lock().unwrap().extend(names);
        next.run(cx).await
    }
}

/// Fields that belong to one hop of HTTP/1, and a `te` that promises no trailers.
#[tokio::test]
async fn fields_of_one_hop_are_rejected() {
    let fields = [
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("upgrade", "h2c"),
    ];
    for (name, value) in fields {
        let seen = Witness::default();
        let mut served = Served::with(|server| server.intercept(seen.clone()));
        let mut peer = served.connect().await;
        let head = request(1, ONCE).without(name).field(name, value);
        peer.send(Wire::from(head).and(last_data(1, note("x"))))
            .await;
        let code = match peer
            .next(format_args!("an end after {name}: {value}"))
            .await
        {
            Event::Reset(1, code) | Event::GoAway(_, code, _) => code,
            other => panic!("{name}: {value}: {other:?}"),
        };
        assert_ne!(code, 0);
        assert!(served.heard_nothing_more(), "{name}: {value}");
        assert!(seen.0.lock().unwrap().is_empty());
        drop(peer);
        served.end().await;
    }
}

/// What the protocol reads itself nobody can take for metadata, on whichever side and in whichever
/// block it comes. Other names that begin with `grpc-`, such as that of a retry's number, are shown
/// as they came; no user can send one.
#[tokio::test]
async fn fields_of_the_protocol_are_no_metadata_on_either_side() {
    let reserved = |head: Headers| {
        head.field("grpc-message", "evil")
            .field("grpc-status-details-bin", "AAAA")
            .field("grpc-accept-encoding", "gzip")
            .field("user-agent", "me")
            .field("host", "elsewhere")
            .field("x-mine", "2")
    };
    let seen = Witness::default();
    let mut served = Served::with(|server| server.intercept(seen.clone()));
    let mut peer = served.connect().await;
    let head = reserved(request(1, ONCE));
    peer.send(Wire::from(head).and(last_data(1, note("x"))))
        .await;
    assert_eq!(peer.expect_end(1).await.code(), Some(0));
    assert!(matches!(served.heard().await, Heard::Message(_)));
    assert_eq!(*seen.0.lock().unwrap(), ["x-mine"]);
    drop(peer);
    served.end().await;

    let (mut server, echo) = RawServer::memory("hostile");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        let head = reserved(headers(1).status(200).grpc());
        let last = reserved(trailers(1, 0));
        peer.send(Wire::from(head).and(data(1, note("x"))).and(last))
            .await;
        peer
    };
    let call = within("the call", echo.once(crate::handlers::note("x")));
    let (answer, peer) = tokio::join!(call, script);
    let answer = answer.unwrap();
    for metadata in [answer.headers(), answer.trailers()] {
        let names: Vec<_> = metadata.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["x-mine"]);
    }
    crate::support::channel_closes(echo, peer).await;
}

/// What tells strangers of a server is there for those alone who have added it.
#[tokio::test]
async fn nothing_is_served_that_nobody_has_added() {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let paths = [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Check",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/xds.data.orca.v3.OpenRcaService/StreamCoreMetrics",
        "/grpc.admin.v1.Admin/Get",
    ];
    for (stream, path) in (1..).step_by(2).zip(paths) {
        peer.send(request(stream, path).end()).await;
        let answer = peer.expect_end(stream).await;
        assert_eq!(answer.code(), Some(Code::Unimplemented.number()), "{path}");
    }
    // Nor is it served to browsers: no CORS, no gRPC-Web.
    let preflight = request(101, ONCE)
        .with(":method", "OPTIONS")
        .field("origin", "https://evil.example")
        .field("access-control-request-method", "POST");
    peer.send(preflight.end()).await;
    let answer = peer.expect_end(101).await;
    assert_eq!(answer.head.http_status(), 405);
    assert_eq!(answer.head.get("access-control-allow-origin"), None);
    assert!(served.heard_nothing_more());
    drop(peer);
    served.end().await;
}

/// A path as long as a header list may be, and deadlines at both ends of what can be written.
#[tokio::test]
async fn extremes_that_are_legal_are_answered() {
    let served = Served::start();
    let mut peer = served.connect().await;
    let long = format!("/nobody/{}", "x".repeat(15_000));
    peer.send(request(1, &long).end()).await;
    let answer = peer.expect_end(1).await;
    assert_eq!(answer.code(), Some(Code::Unimplemented.number()));
    let escaped = format!("/{}/x", "%22\u{7f}\"".repeat(2_000));
    peer.send(request(3, &escaped).end()).await;
    let answer = peer.expect_end(3).await;
    let refused = answer.code() == Some(Code::Unimplemented.number());
    assert!(refused || answer.reset.is_some(), "{answer:?}");
    for (stream, timeout, codes) in [
        (5, "99999999H", &[Code::Ok][..]),
        (7, "0n", &[Code::DeadlineExceeded, Code::Ok]),
        (9, "0H", &[Code::DeadlineExceeded, Code::Ok]),
        (11, "999999999H", &[Code::Internal]),
        (13, "-1S", &[Code::Internal]),
        (15, "", &[Code::Internal]),
    ] {
        let head = request(stream, ONCE).field("grpc-timeout", timeout);
        peer.send(Wire::from(head).and(last_data(stream, note("x"))))
            .await;
        let answer = peer.expect_end(stream).await;
        let code = Code::from_number(answer.code().unwrap());
        assert!(codes.contains(&code), "{timeout:?}: {answer:?}");
    }
    while served.handle.stats().live_rpcs > 0 {
        tokio::task::yield_now().await;
    }
    drop(peer);
    served.end().await;
}
