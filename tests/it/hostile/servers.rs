//! Our client against servers that mean harm: every call ends with an error, in time, and the next
//! one is served.

use std::time::Duration;

use trunkline::{Code, Status};
use trunkline_test_protos::echo::EchoClient;

use super::caller::{Caller, call};
use super::process::{MB, report};
use crate::handlers::note as plain_note;
use crate::support::{
    Event, Headers, Peer, RawServer, Wire, channel_closes, data, headers, note, prefix, raw,
    settings, trailers, window, within,
};
use crate::world::soaking;

const KINDS: [&str; 4] = ["once", "expand", "collect", "chat"];

fn head(stream: u32) -> Headers {
    headers(stream).status(200).grpc()
}

/// What is sent on the stream of a call.
type Answer = fn(u32) -> Wire;

/// A good answer.
fn good(stream: u32) -> Wire {
    let begin = Wire::from(head(stream)).and(data(stream, note("good")));
    begin.and(trailers(stream, 0))
}

/// The stream of the next call whose requests are all here; `None` when the connection is over.
async fn next_call(peer: &mut Peer) -> Option<u32> {
    loop {
        match peer.next("a call").await {
            Event::Headers(stream, _, true) | Event::Data(stream, _, true) => return Some(stream),
            Event::Closed => return None,
            _ => {}
        }
    }
}

/// Answers the first call like this, and all later ones well, on whatever connection they come.
async fn answer_badly_once(mut server: RawServer, answer: Answer) {
    let mut first = true;
    loop {
        let mut peer = server.accept().await;
        while let Some(stream) = next_call(&mut peer).await {
            let answer = if first { answer(stream) } else { good(stream) };
            first = false;
            peer.send(answer).await;
        }
    }
}

fn fields(start: Headers, count: usize) -> Headers {
    (0..count).fold(start, |head, number| head.field(format!("{number:x}"), "x"))
}

fn padding(stream: u32) -> Wire {
    let begin = Wire::from(head(stream)).and(data(stream, note("x")));
    (0..1_000).fold(begin, |all, _| {
        all.and(crate::support::padded(stream, b"", 255))
    })
}

fn interim(stream: u32, count: usize) -> Wire {
    (0..count).fold(Wire::default(), |all, _| {
        all.and(headers(stream).status(103).field("link", "x".repeat(100)))
    })
}

/// What a server may answer to a call, and must not.
const ANSWERS: &[(&str, Answer)] = &[
    ("a head of 20,000 fields", |stream| {
        fields(head(stream), 20_000).into()
    }),
    ("a head a little over the limit", |stream| {
        head(stream).field("x", "x".repeat(17_000)).into()
    }),
    ("trailers of 20,000 fields", |stream| {
        let begin = Wire::from(head(stream)).and(data(stream, note("x")));
        begin.and(fields(trailers(stream, 0), 20_000))
    }),
    ("interim responses with END_STREAM", |stream| {
        headers(stream).status(103).end().into()
    }),
    ("DATA before anything", |stream| data(stream, note("x"))),
    ("trailers that end nothing", |stream| {
        let begin = Wire::from(head(stream)).and(data(stream, note("x")));
        begin.and(headers(stream).field("grpc-status", "0"))
    }),
    ("two heads", |stream| {
        Wire::from(head(stream)).and(head(stream))
    }),
    ("a claim of 1 GiB", |stream| {
        Wire::from(head(stream)).and(data(stream, prefix(0, 1 << 30)))
    }),
    ("a compressed claim of 1 GiB", |stream| {
        let begin = head(stream).field("grpc-encoding", "gzip");
        Wire::from(begin).and(data(stream, prefix(1, 1 << 30)))
    }),
    ("two windows too wide", |stream| {
        window(stream, (1 << 31) - 1).and(window(0, (1 << 31) - 1))
    }),
    ("a window of 4 GiB for all", |_| settings(&[(4, u32::MAX)])),
    ("a largest frame of nothing", |_| settings(&[(5, 0)])),
    ("PUSH_PROMISE", |stream| {
        raw(5, 4, stream, &[0, 0, 0, 2, 0x82, 0x86, 0x84])
    }),
    ("a frame of 16 MiB", |stream| {
        raw(0, 0, stream, &vec![0; 1 << 20])
    }),
    ("a field that is not in the table", |stream| {
        raw(1, 4, stream, &[0x88, 0xff, 0x80, 0x01])
    }),
    ("a table of 1 GiB", |stream| {
        raw(1, 4, stream, &[0x3f, 0xe1, 0xff, 0xff, 0xff, 0x03, 0x88])
    }),
    ("a reset with a code that nobody knows", |stream| {
        crate::support::reset(stream, u32::MAX)
    }),
    ("padding without end", padding),
];

/// Whatever it is: an error that names the server, within the time that any test has; and the
/// channel is none the worse for it.
#[tokio::test]
async fn whatever_a_server_answers_every_call_ends_and_the_next_is_served() {
    for (name, answer) in ANSWERS {
        for kind in KINDS {
            let (server, echo) = RawServer::memory("hostile");
            let serving = tokio::spawn(answer_badly_once(server, *answer));
            let wanted = format!("an end of {kind} after {name}");
            let ended = within(wanted, call(&echo, kind)).await;
            let error = ended.expect_err(name);
            let expected = [
                Code::Internal,
                Code::Unavailable,
                Code::ResourceExhausted,
                Code::Unknown,
            ];
            assert!(expected.contains(&error.code()), "{kind}, {name}: {error}");
            assert!(
                error.to_string().contains("memory:hostile"),
                "{kind}, {name}: {error}"
            );
            let next = echo.once(plain_note("next")).wait_for_ready(true);
            let next = within(format_args!("the call after {name}"), next).await;
            assert_eq!(next.unwrap().text, "good", "{kind}, {name}");
            serving.abort();
        }
    }
}

/// h2 drops what of a response's trailers is over the limit, and tells nobody. So metadata may be
/// missing where a server did not keep to the limit, but never the status: it is there, or it is an
/// error that it is not.
#[tokio::test]
async fn trailers_over_the_limit_never_pass_for_a_status() {
    let large = |head: Headers| head.field("x", "x".repeat(17_000));
    for kind in KINDS {
        let (mut server, echo) = RawServer::memory("hostile");
        let script = async {
            let mut peer = server.accept().await;
            let begin = |stream| Wire::from(head(stream)).and(data(stream, note("x")));
            let stream = next_call(&mut peer).await.unwrap();
            let last = large(headers(stream)).field("grpc-status", "0").end();
            peer.send(begin(stream).and(last)).await;
            let stream = next_call(&mut peer).await.unwrap();
            peer.send(begin(stream).and(large(trailers(stream, 5))))
                .await;
            peer
        };
        let calls = async {
            let lost = call(&echo, kind).await.unwrap_err();
            (lost, call(&echo, kind).await.unwrap_err())
        };
        let both = async { tokio::join!(script, calls) };
        let (peer, (lost, told)) = within("both calls to end", both).await;
        assert_eq!(lost.code(), Code::Unknown, "{kind}: {lost}");
        assert_eq!(told.code(), Code::NotFound, "{kind}: {told}");
        channel_closes(echo, peer).await;
    }
}

/// A call that is kept waiting by interim responses ends when there are more than any server has
/// reason to send; one that gets a few is answered.
#[tokio::test]
async fn endless_interim_responses_end_the_call() {
    for kind in KINDS {
        let (mut server, echo) = RawServer::memory("hostile");
        let script = async {
            let mut peer = server.accept().await;
            let stream = next_call(&mut peer).await.unwrap();
            peer.send(interim(stream, 5).and(good(stream))).await;
            let stream = next_call(&mut peer).await.unwrap();
            // In small pieces, so that the call is woken for each, until it has had enough.
            loop {
                peer.send(interim(stream, 2)).await;
                let heard = peer.listen(Duration::from_millis(1)).await;
                if let Some(Event::Reset(_, code)) = heard.first() {
                    return (peer, *code);
                }
            }
        };
        let calls = async {
            call(&echo, kind).await.unwrap();
            call(&echo, kind).await.unwrap_err()
        };
        let both = async { tokio::join!(script, calls) };
        let ((peer, code), error) = within("the call to end", both).await;
        assert_eq!(error.code(), Code::Internal, "{kind}: {error}");
        assert!(error.message().contains("interim (1xx)"), "{error}");
        assert_eq!(code, crate::support::CANCEL);
        channel_closes(echo, peer).await;
    }
}

/// A server that goes silent where something must follow: the deadline of each call holds, and
/// silence on one stream is no silence on the others.
#[tokio::test(start_paused = true)]
async fn servers_that_go_silent_are_bounded_by_the_deadline() {
    let silences: &[Answer] = &[
        |_| Wire::default(),
        |stream| head(stream).into(),
        |stream| Wire::from(head(stream)).and(data(stream, [0, 0])),
        |stream| Wire::from(head(stream)).and(data(stream, prefix(0, 1_000))),
        |stream| interim(stream, 1),
        // In the middle of a header block nothing else may come on the connection.
        |stream| raw(1, 0, stream, &[0x88]),
        |stream| Wire(raw(0, 0, stream, &[0; 100]).0[..50].to_vec()),
    ];
    for silence in silences {
        for kind in KINDS {
            let (mut server, builder) = RawServer::builder("hostile");
            let channel = builder.timeout(Duration::from_secs(3)).build().unwrap();
            let echo = EchoClient::new(channel);
            let script = async {
                let mut peer = server.accept().await;
                let stream = next_call(&mut peer).await.unwrap();
                peer.send(silence(stream)).await;
                peer
            };
            let began = tokio::time::Instant::now();
            let (error, peer) = tokio::join!(call(&echo, kind), script);
            let error: Status = error.unwrap_err();
            assert_eq!(error.code(), Code::DeadlineExceeded, "{kind}: {error}");
            assert_eq!(began.elapsed().as_secs(), 3);
            channel_closes(echo, peer).await;
        }
    }
}

/// The same as a process of its own, which is measured: neither interim responses nor a flood of
/// PINGs and SETTINGS piles up.
#[tokio::test]
async fn what_a_server_repeats_costs_a_client_no_memory() {
    let floods: &[(&str, Answer)] = &[
        ("interim responses", |stream| interim(stream, 1_000)),
        ("PING", |_| {
            (0..1_000).fold(Wire::default(), |all, _| all.and(crate::support::ping()))
        }),
        ("SETTINGS", |_| {
            (0..1_000).fold(Wire::default(), |all, _| all.and(settings(&[])))
        }),
        ("empty DATA", |stream| {
            (0..1_000).fold(Wire::from(head(stream)), |all, _| all.and(data(stream, "")))
        }),
    ];
    let rounds = if soaking() { 1_000 } else { 10 };
    for (name, flood) in floods {
        let (mut server, _, address) = RawServer::tcp().await;
        let mut caller = Caller::start(&address).await;
        // What a client needs for its first call is not what this is about.
        caller.begin("once").await;
        let mut peer = server.accept().await;
        let stream = next_call(&mut peer).await.unwrap();
        peer.send(good(stream)).await;
        assert_eq!(caller.ended().await, "Ok");
        let meter = caller.meter();
        caller.begin("once").await;
        let stream = next_call(&mut peer).await.unwrap();
        let piece = flood(stream);
        for _ in 0..rounds {
            peer.send(piece.clone()).await;
            // Its answers are read, or it would stop to read in turn.
            let _ = peer.listen(Duration::ZERO).await;
        }
        let used = meter.used();
        drop(peer);
        let ended = caller.ended().await;
        report(
            &format!("{rounds},000 of {name} from a server"),
            format_args!("{used}; the call: {ended}"),
        );
        // What arrives before the call has its turn waits for it: more on a machine that is busy.
        assert!(used.peak < 16 * MB, "{name}: {used}");
        assert!(!ended.starts_with("Ok"), "{name}: {ended}");
        caller.end().await;
    }
}

/// What h2 cannot prevent: it keeps interim responses for a call that nobody reads. Measured, so
/// that it is known; runs only where things are measured.
#[tokio::test]
#[ignore = "measures, and proves nothing"]
async fn interim_responses_to_a_call_that_nobody_reads_are_kept() {
    let (mut server, _, address) = RawServer::tcp().await;
    let mut caller = Caller::start(&address).await;
    let meter = caller.meter();
    caller.begin("unread").await;
    let mut peer = server.accept().await;
    let Event::Headers(stream, ..) = peer.next("a call").await else {
        panic!("no call");
    };
    for _ in 0..200 {
        peer.send(interim(stream, 500)).await;
    }
    let used = meter.used();
    report(
        "100,000 interim responses of 100 bytes to a call that nobody reads",
        used,
    );
    drop(peer);
    let _ended = caller.ended().await;
    caller.end().await;
}
