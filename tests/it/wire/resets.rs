//! RST_STREAM with every code at every moment, in both roles.

use trunkline::{Code, Origin};

use super::{
    Kind, ONE_STREAM, answer, ask, asked, head, is_healthy, narrow, next_stream, window_is_back,
};
use crate::support::{
    CANCEL, Event, Heard, INITIAL_WINDOW_SIZE, LAST_CODE, Over, Peer, REFUSED_STREAM, Served, Wire,
    channel_closes, data, framed, headers, last_data, note, request, reset, settings, trailers,
    window,
};

/// Long enough for a window that is not given back to run out.
const LONG: usize = 1_000;

/// The windows that a client grants when it wants little.
const SMALL: u32 = 2_000;

/// Every code that has a name, and three that have none.
fn codes() -> impl Iterator<Item = u32> {
    (0..=LAST_CODE).chain([LAST_CODE + 1, 0xbeef, u32::MAX])
}

/// gRPC's mapping (its document on HTTP/2, "Errors").
fn status_of(code: u32) -> Code {
    match code {
        0x7 => Code::Unavailable,
        0x8 => Code::Cancelled,
        0xb => Code::ResourceExhausted,
        0xc => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

/// When a server resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeHead,
    AfterHead,
    AfterMessage,
    MidMessage,
    AfterTrailers,
}

impl Moment {
    const ALL: [Self; 5] = [
        Self::BeforeHead,
        Self::AfterHead,
        Self::AfterMessage,
        Self::MidMessage,
        Self::AfterTrailers,
    ];

    /// What goes before the reset, and how much of it counts against windows.
    fn before(self, stream: u32) -> (Wire, u64) {
        let message = note(&"m".repeat(LONG));
        let whole = message.len() as u64;
        let one = head(stream).and(data(stream, &message));
        match self {
            Self::BeforeHead => (Wire::default(), 0),
            Self::AfterHead => (head(stream), 0),
            Self::AfterMessage => (one, whole),
            Self::MidMessage => (one.and(data(stream, &message[..100])), whole + 100),
            Self::AfterTrailers => (one.and(trailers(stream, 0)), whole),
        }
    }
}

async fn resets_of_a_server(over: Over) {
    for kind in Kind::ALL {
        let (mut server, echo) = narrow(over, "resetting").await;
        // The first call connects.
        let accepted = async {
            let mut peer = server.accept_with(ONE_STREAM).await;
            asked(&mut peer, 1, Kind::Once).await;
            peer.send(answer(1, "first")).await;
            peer
        };
        let (first, mut peer) = tokio::join!(ask(&echo, Kind::Once), accepted);
        let mut sent = note("first").len() as u64;
        assert!(first.end.is_ok(), "{first:?}");
        for moment in Moment::ALL {
            for code in codes() {
                let shown = format!("{over:?} {kind:?} {moment:?} {code:#x}");
                // What was surely not processed goes out once more, and not twice.
                let refused = moment == Moment::BeforeHead && code == REFUSED_STREAM;
                let script = async {
                    for _ in 0..if refused { 2 } else { 1 } {
                        let stream = next_stream(&peer);
                        asked(&mut peer, stream, kind).await;
                        let (before, counted) = moment.before(stream);
                        sent += counted;
                        peer.send(before.and(reset(stream, code))).await;
                    }
                };
                let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
                let delivered = match moment {
                    Moment::BeforeHead | Moment::AfterHead => false,
                    Moment::AfterMessage | Moment::MidMessage => kind.streams_responses(),
                    Moment::AfterTrailers => true,
                };
                assert_eq!(outcome.messages.len(), usize::from(delivered), "{shown}");
                if moment == Moment::AfterTrailers {
                    // It was complete, whatever the server has no use for any more.
                    assert!(outcome.end.is_ok(), "{shown}: {outcome:?}");
                    continue;
                }
                let error = outcome.error();
                let all = error.to_string();
                assert_eq!(error.code(), status_of(code), "{shown}: {all}");
                assert_eq!(error.origin(), Origin::Transport, "{shown}: {all}");
                assert_eq!(error.is_unprocessed(), refused, "{shown}: {all}");
                let hex = format!("0x{code:x}");
                for word in ["reset", &hex, kind.path()] {
                    assert!(all.contains(word), "{shown}: {word:?} is not in {all}");
                }
            }
            is_healthy(&echo, &mut peer).await;
            sent += note("healthy").len() as u64;
        }
        window_is_back(&mut peer, sent).await;
        channel_closes(echo, peer).await;
    }
}

#[tokio::test]
async fn a_server_may_reset_with_any_code_at_any_moment() {
    resets_of_a_server(Over::Memory).await;
}

#[tokio::test]
async fn a_server_may_reset_with_any_code_at_any_moment_over_tcp() {
    resets_of_a_server(Over::Tcp).await;
}

/// When a client resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    AfterHead,
    AfterMessage,
    MidMessage,
    MidSingleMessage,
    WhileAnswered,
    AfterAnswer,
}

impl When {
    const ALL: [Self; 6] = [
        Self::AfterHead,
        Self::AfterMessage,
        Self::MidMessage,
        Self::MidSingleMessage,
        Self::WhileAnswered,
        Self::AfterAnswer,
    ];
}

/// Brings a stream to this moment; how many bytes of DATA that took.
async fn bring(peer: &mut Peer, served: &mut Served, stream: u32, when: When) -> u64 {
    let message = note(&"m".repeat(LONG));
    let chat = || Wire::from(request(stream, Kind::Chat.path()));
    let running = |stats: &trunkline::server::ServerStats| stats.live_rpcs == 1;
    match when {
        When::AfterHead => {
            peer.send(chat()).await;
            served.until("the RPC", running).await;
            0
        }
        When::AfterMessage | When::MidMessage => {
            let half = if when == When::MidMessage { 100 } else { 0 };
            let one = chat().and(data(stream, &message));
            peer.send(one.and(data(stream, &message[..half]))).await;
            peer.expect_headers(stream).await;
            assert_eq!(peer.expect_data(stream).await, message);
            peer.send(window(0, message.len() as u32)).await;
            assert!(matches!(served.heard().await, Heard::Message(_)));
            (message.len() + half) as u64
        }
        When::MidSingleMessage => {
            let once = Wire::from(request(stream, Kind::Once.path()));
            peer.send(once.and(data(stream, &message[..100]))).await;
            served.until("the RPC", running).await;
            100
        }
        When::WhileAnswered => {
            let many = trunkline_test_protos::echo::Note {
                number: 1_000_000,
                ..Default::default()
            };
            let many = framed(trunkline::codegen::prost::Message::encode_to_vec(&many));
            let expand = Wire::from(request(stream, Kind::Expand.path()));
            peer.send(expand.and(last_data(stream, &many))).await;
            assert!(matches!(served.heard().await, Heard::Message(_)));
            peer.expect_headers(stream).await;
            let mut came = 0;
            while came < SMALL {
                came += peer.expect_data(stream).await.len() as u32;
            }
            peer.send(window(0, came)).await;
            many.len() as u64
        }
        When::AfterAnswer => {
            let once = Wire::from(request(stream, Kind::Once.path()));
            peer.send(once.and(last_data(stream, &message))).await;
            let answer = peer.expect_end(stream).await;
            assert_eq!(answer.code(), Some(0));
            peer.send(window(0, answer.body.len() as u32)).await;
            assert!(matches!(served.heard().await, Heard::Message(_)));
            message.len() as u64
        }
    }
}

async fn resets_of_a_client(over: Over) {
    let mut served = Served::over_with(over, |builder| {
        let mut http2 = trunkline::transport::http2::ServerConfig::default();
        http2.stream_window_bytes = Some(65_535);
        http2.connection_window_bytes = 65_535;
        builder.http2(http2)
    })
    .await;
    let mut peer = served.connect().await;
    // Little is answered before a handler has to wait.
    peer.send(settings(&[(INITIAL_WINDOW_SIZE, SMALL)])).await;
    let (mut stream, mut sent) = (1, 0);
    for when in When::ALL {
        for code in codes() {
            let shown = format!("{over:?} {when:?} {code:#x}");
            sent += bring(&mut peer, &mut served, stream, when).await;
            peer.send(reset(stream, code)).await;
            served
                .until(&shown, |stats| stats.live_rpcs + stats.live_children == 0)
                .await;
            match when {
                When::AfterHead | When::AfterMessage | When::MidMessage => {
                    let Heard::Failed(status) = served.heard().await else {
                        panic!("{shown}: no error");
                    };
                    assert_eq!(status.code(), Code::Cancelled, "{shown}: {status}");
                }
                When::WhileAnswered => {
                    assert!(matches!(served.heard().await, Heard::Dropped), "{shown}");
                }
                // The handler was never started, or had returned.
                When::MidSingleMessage | When::AfterAnswer => {}
            }
            assert!(served.heard_nothing_more(), "{shown}");
            stream += 2;
        }
        // The same connection goes on.
        let good = Wire::from(request(stream, Kind::Once.path()));
        peer.send(good.and(last_data(stream, note("good")))).await;
        assert_eq!(peer.expect_end(stream).await.body, note("good"));
        assert!(matches!(served.heard().await, Heard::Message(_)));
        peer.send(window(0, note("good").len() as u32)).await;
        sent += note("good").len() as u64;
        stream += 2;
    }
    // What the client has reset is not answered any more.
    let late = |event: &Event| !matches!(event, Event::Data(..) | Event::Headers(..));
    let events = peer.drain().await;
    assert!(events.iter().all(late), "{events:?}");
    window_is_back(&mut peer, sent).await;
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn a_client_may_reset_with_any_code_at_any_moment() {
    resets_of_a_client(Over::Memory).await;
}

#[tokio::test]
async fn a_client_may_reset_with_any_code_at_any_moment_over_tcp() {
    resets_of_a_client(Over::Tcp).await;
}

/// HEADERS and RST_STREAM in one packet: nobody need ever have noticed the request.
#[tokio::test]
async fn a_request_that_is_reset_as_it_comes_leaves_nothing() {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    for (number, code) in codes().enumerate() {
        let stream = 1 + 2 * number as u32;
        let chat = Wire::from(request(stream, Kind::Chat.path()));
        let chat = chat.and(data(stream, note("gone")));
        peer.send(chat.and(reset(stream, code))).await;
        peer.catch_up().await;
    }
    served
        .until("the end of all", |stats| stats.live_rpcs == 0)
        .await;
    while !served.heard_nothing_more() {}
    let stream = 1_001;
    let good = Wire::from(request(stream, Kind::Once.path()));
    peer.send(good.and(last_data(stream, note("good")))).await;
    assert_eq!(peer.expect_end(stream).await.body, note("good"));
    drop(peer);
    served.end().await;
}

/// At a limit of one stream the call that goes out once more needs the place that it has itself.
#[tokio::test]
async fn a_refused_call_waits_for_no_place_but_its_own() {
    for kind in Kind::ALL {
        let (mut server, echo) = narrow(Over::Memory, "single").await;
        let script = async {
            let mut peer = server.accept_with(ONE_STREAM).await;
            asked(&mut peer, 1, kind).await;
            peer.send(reset(1, REFUSED_STREAM)).await;
            asked(&mut peer, 3, kind).await;
            peer.send(answer(3, "second")).await;
            peer
        };
        let (outcome, mut peer) = tokio::join!(ask(&echo, kind), script);
        assert!(outcome.end.is_ok(), "{kind:?}: {outcome:?}");
        assert_eq!(outcome.messages, ["second"], "{kind:?}");
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// The pair that gRPC servers send when they answer before they have heard everything.
#[tokio::test]
async fn trailers_and_no_error_end_a_call_of_which_the_server_wants_no_more() {
    for over in Over::BOTH {
        let (mut server, echo) = narrow(over, "early").await;
        let script = async {
            let mut peer = server.accept_with(ONE_STREAM).await;
            for kind in [Kind::Collect, Kind::Chat] {
                let stream = next_stream(&peer);
                asked(&mut peer, stream, kind).await;
                let early = head(stream)
                    .and(data(stream, note("early")))
                    .and(trailers(stream, 9));
                peer.send(early.and(reset(stream, 0))).await;
            }
            let stream = next_stream(&peer);
            asked(&mut peer, stream, Kind::Chat).await;
            // Trailers-only, and then the reset.
            let only = headers(stream).status(200).grpc();
            let only = Wire::from(only.field("grpc-status", "5").end());
            peer.send(only.and(reset(stream, 0))).await;
            peer
        };
        let calls = async {
            for kind in [Kind::Collect, Kind::Chat] {
                let outcome = ask(&echo, kind).await;
                assert_eq!(outcome.error().code(), Code::FailedPrecondition);
                assert_eq!(outcome.error().origin(), Origin::Peer);
            }
            let outcome = ask(&echo, Kind::Chat).await;
            assert_eq!(outcome.error().code(), Code::NotFound);
        };
        let (mut peer, ()) = tokio::join!(script, calls);
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// A caller that gives up resets with CANCEL, whenever that is.
#[tokio::test]
async fn a_dropped_call_is_reset_with_cancel_at_any_moment() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (mut server, echo) = narrow(over, "dropped").await;
            let mut peer = None;
            for moment in [
                Moment::BeforeHead,
                Moment::AfterHead,
                Moment::AfterMessage,
                Moment::MidMessage,
            ] {
                // Only a stream of responses waits for more after its first message.
                if moment == Moment::AfterMessage && !kind.streams_responses() {
                    continue;
                }
                let script = async {
                    let mut peer = match peer.take() {
                        Some(peer) => peer,
                        None => server.accept_with(ONE_STREAM).await,
                    };
                    let stream = next_stream(&peer);
                    asked(&mut peer, stream, kind).await;
                    peer.send(moment.before(stream).0).await;
                    peer.catch_up().await;
                    (peer, stream)
                };
                let (mut left, stream) = tokio::select! {
                    outcome = ask(&echo, kind) => panic!("{moment:?} {kind:?}: {outcome:?}"),
                    left = script => left,
                };
                assert_eq!(left.expect_reset(stream).await, CANCEL, "{moment:?}");
                is_healthy(&echo, &mut left).await;
                peer = Some(left);
            }
            channel_closes(echo, peer.unwrap()).await;
        }
    }
}
