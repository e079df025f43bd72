//! What those who measure are told: every call begins and ends once, however it ends.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use trunkline_client::{CallContext, Channel, ChannelBuilder, Next};
use trunkline_core::stats::{
    CallEvent, CallInfo, ConnectionEvent, ConnectionInfo, Side, StatsHandler,
};
use trunkline_core::{Code, Status};
use trunkline_transport::memory;

use super::support::{Both, Down, One, Peer, Up, bytes, frame, headers, ok, pair};

const MS: Duration = Duration::from_millis(1);

/// Notes every event in a word or two.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl StatsHandler for Notes {
    fn call(&self, call: &CallInfo, event: &CallEvent<'_>, _: Instant) {
        assert_eq!(call.side, Side::Client);
        let code = |outcome: &Result<(), &Status>| match outcome {
            Ok(()) => Code::Ok,
            Err(status) => status.code(),
        };
        let attempt = call.attempt;
        let text = match event {
            CallEvent::Begin { deadline } => {
                format!("{} begin deadline={}", call.method, deadline.is_some())
            }
            CallEvent::AttemptBegin { peer, transparent } => {
                format!("{attempt} at {peer} transparent={transparent}")
            }
            CallEvent::HeadersOut { metadata } => format!("{attempt} headers> {}", metadata.len()),
            CallEvent::HeadersIn { metadata } => format!("{attempt} headers< {}", metadata.len()),
            CallEvent::MessageOut(size) => format!("{attempt} message> {}", size.bytes),
            CallEvent::MessageIn(size) => format!("{attempt} message< {}", size.bytes),
            CallEvent::TrailersIn { metadata } => format!("{attempt} trailers< {}", metadata.len()),
            CallEvent::AttemptEnd { outcome, .. } => format!("{attempt} end {}", code(outcome)),
            CallEvent::End { outcome, .. } => format!("end {}", code(outcome)),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

/// Counts connections that began and that ended.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<(u32, u32)>>);

impl StatsHandler for Connections {
    fn connection(&self, info: &ConnectionInfo, event: &ConnectionEvent<'_>, _: Instant) {
        assert_eq!(info.side, Side::Client);
        let mut counts = self.0.lock().unwrap();
        match event {
            ConnectionEvent::Begin { peer } => {
                assert_eq!(peer.to_string(), "memory:peer");
                counts.0 += 1;
            }
            ConnectionEvent::End { .. } => counts.1 += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connections_begin_and_end_once() {
    let told = Connections::default();
    let (builder, mut peer) = pair(100);
    let channel = builder.stats_handler(told.clone()).build().unwrap();
    let counts = || *told.0.lock().unwrap();
    for round in 1..=2 {
        let call = channel.unary::<One>(bytes("")).into_future();
        let (answer, ()) = tokio::join!(call, async { peer.next().await.reply(&["x"]) });
        answer.unwrap();
        assert_eq!(counts(), (round, round - 1));
        match round {
            1 => peer.go_away(),
            _ => drop(channel.clone()),
        }
        sleep(1000 * MS).await;
    }
    drop(channel);
    sleep(1000 * MS).await;
    assert_eq!(counts(), (2, 2), "also when the channel is gone");
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// One call, ended once, with this code; every attempt that began ended before it did.
    fn one_call(&self, case: &str, code: Code) {
        let notes = self.take();
        let count = |test: &dyn Fn(&String) -> bool| notes.iter().filter(|note| test(note)).count();
        assert_eq!(
            count(&|note| note.contains(" begin ")),
            1,
            "{case}: {notes:?}"
        );
        assert_eq!(
            count(&|note| note.starts_with("end ")),
            1,
            "{case}: {notes:?}"
        );
        let begun = count(&|note| note.contains(" at memory:peer "));
        let ended = count(&|note| note.contains(" end "));
        assert_eq!(begun, ended, "{case}: {notes:?}");
        assert_eq!(
            notes.last().unwrap(),
            &format!("end {code}"),
            "{case}: {notes:?}"
        );
    }
}

fn measured() -> (ChannelBuilder, Notes, Peer) {
    let notes = Notes::default();
    let (builder, peer) = pair(100);
    (builder.stats_handler(notes.clone()), notes, peer)
}

fn plain(builder: ChannelBuilder) -> Channel {
    builder.build().unwrap()
}

/// The same channel, with interceptors that change nothing.
fn around(builder: ChannelBuilder) -> Channel {
    let pass = |call: CallContext, next: Next| async move { next.start(call).await };
    builder.intercept(pass).intercept(pass).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_event_by_event() {
    for make in [plain, around] {
        let (builder, notes, mut peer) = measured();
        let channel = make(builder);
        let server = async {
            let mut exchange = peer.next().await;
            let mut head = headers();
            head.headers_mut().insert("a", "1".parse().unwrap());
            let mut stream = exchange.respond.send_response(head, false).unwrap();
            stream.send_data(frame("four"), false).unwrap();
            let mut trailers = ok();
            trailers.insert("b", "1".parse().unwrap());
            trailers.insert("c", "1".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
            let mut refused = peer.next().await;
            refused.respond.send_reset(h2::Reason::REFUSED_STREAM);
            let mut exchange = peer.next().await;
            while exchange.message().await.unwrap().is_some() {}
            exchange.reply(&["1", "22"]);
        };
        let client = async {
            let call = channel.unary::<One>(bytes("abc")).metadata("k", "v");
            call.timeout(1000 * MS).await.unwrap();
            assert_eq!(
                notes.take(),
                [
                    "/test.T/One begin deadline=true",
                    "1 at memory:peer transparent=false",
                    "1 headers> 1",
                    "1 message> 3",
                    "1 headers< 1",
                    "1 message< 4",
                    "1 trailers< 2",
                    "1 end OK",
                    "end OK",
                ]
            );
            let (mut sender, mut both) = channel.bidi::<Both>().await.unwrap();
            sender.send(&bytes("abc")).await.unwrap();
            sender.finish();
            while both.recv().await.unwrap().is_some() {}
            assert_eq!(
                notes.take(),
                [
                    "/test.T/Both begin deadline=false",
                    "1 at memory:peer transparent=false",
                    "1 headers> 0",
                    "1 message> 3",
                    "1 end UNAVAILABLE",
                    "2 at memory:peer transparent=true",
                    "2 headers> 0",
                    "2 headers< 0",
                    "2 message< 1",
                    "2 message< 2",
                    "2 trailers< 0",
                    "2 end OK",
                    "end OK",
                ]
            );
        };
        tokio::join!(client, server);
    }
}

#[tokio::test(start_paused = true)]
async fn every_shape_ends_once_with_what_the_server_said() {
    for make in [plain, around] {
        let (builder, notes, mut peer) = measured();
        let channel = make(builder);
        for code in [Code::Ok, Code::NotFound] {
            let server = async {
                for _ in 0..5 {
                    let exchange = peer.next().await;
                    match code {
                        Code::Ok => exchange.reply(&["x"]),
                        _ => exchange.fail("5", "nothing"),
                    }
                }
            };
            let client = async {
                let _ = channel.unary::<One>(bytes("")).await;
                notes.one_call("unary", code);
                let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
                while let Ok(Some(_)) = down.recv().await {}
                let _ = down.recv().await;
                drop(down);
                notes.one_call("server streaming", code);
                let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
                let _ = summary.await;
                drop(sender);
                notes.one_call("client streaming", code);
                let call = channel.client_streaming::<Up>().upload([bytes("")]);
                let _ = call.await;
                notes.one_call("upload", code);
                let (sender, mut both) = channel.bidi::<Both>().await.unwrap();
                let _ = both.headers().await;
                while let Ok(Some(_)) = both.recv().await {}
                drop((sender, both));
                notes.one_call("bidi", code);
            };
            tokio::join!(client, server);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_or_late_ends_once_too() {
    for make in [plain, around] {
        let (builder, notes, mut peer) = measured();
        let channel = make(builder);
        // Keeps the calls, answers nothing.
        let held = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(exchange) = peer.calls.recv().await {
                all.push(exchange);
            }
        });
        let cancelled = Code::Cancelled;
        let call = channel.unary::<One>(bytes("")).into_future();
        assert!(timeout(10 * MS, call).await.is_err());
        notes.one_call("dropped future", cancelled);
        let call = channel.client_streaming::<Up>().upload([bytes("")]);
        assert!(timeout(10 * MS, call).await.is_err());
        notes.one_call("dropped upload", cancelled);
        let down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        drop(down);
        notes.one_call("dropped receiver", cancelled);
        let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
        drop(sender);
        assert_eq!(summary.await.unwrap_err().code(), cancelled);
        notes.one_call("dropped sender", cancelled);
        let (sender, both) = channel.bidi::<Both>().await.unwrap();
        drop(both);
        drop(sender);
        notes.one_call("both halves dropped", cancelled);
        let (_sender, mut both) = channel.bidi::<Both>().await.unwrap();
        both.cancel();
        assert_eq!(both.recv().await.unwrap_err().code(), cancelled);
        notes.one_call("cancelled", cancelled);

        let late = Code::DeadlineExceeded;
        let call = channel.unary::<One>(bytes("")).timeout(10 * MS);
        assert_eq!(call.await.unwrap_err().code(), late);
        notes.one_call("late unary", late);
        let call = channel.server_streaming::<Down>(bytes("")).timeout(10 * MS);
        let mut down = call.await.unwrap();
        assert_eq!(down.recv().await.unwrap_err().code(), late);
        drop(down);
        notes.one_call("late stream", late);
        let call = channel.unary::<One>(bytes("")).timeout(Duration::ZERO);
        assert_eq!(call.await.unwrap_err().code(), late);
        notes.one_call("late before it began", late);
        let call = channel.unary::<One>(bytes("")).metadata("Bad Key", "");
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
        notes.one_call("bad metadata", Code::Internal);
        let call = channel.bidi::<Both>().metadata("Bad Key", "");
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
        notes.one_call("bad metadata of a stream", Code::Internal);
        held.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_reached_a_server_ends_once_too() {
    let notes = Notes::default();
    let (connector, listener) = memory::pair("gone");
    drop(listener);
    let builder = Channel::builder("memory:gone")
        .insecure()
        .connector(connector);
    let builder = builder.stats_handler(notes.clone());
    for make in [plain, around] {
        let channel = make(builder.clone());
        let error = channel.unary::<One>(bytes("")).await.unwrap_err();
        notes.one_call("unreachable", error.code());
        let error = channel
            .server_streaming::<Down>(bytes(""))
            .await
            .unwrap_err();
        notes.one_call("unreachable stream", error.code());
        let error = channel.bidi::<Both>().await.unwrap_err();
        notes.one_call("unreachable bidi", error.code());
    }
    let (builder, notes, _peer) = measured();
    let refuse = |call: CallContext, next: Next| async move {
        if call.metadata().contains("slow") {
            sleep(1000 * MS).await;
            return next.start(call).await;
        }
        Err(Status::permission_denied("no"))
    };
    let channel = builder.intercept(refuse).build().unwrap();
    let denied = Code::PermissionDenied;
    channel.unary::<One>(bytes("")).await.unwrap_err();
    notes.one_call("refused by an interceptor", denied);
    channel.client_streaming::<Up>().await.unwrap_err();
    notes.one_call("a refused stream", denied);
    let call = channel
        .unary::<One>(bytes(""))
        .metadata("slow", "")
        .into_future();
    assert!(timeout(MS, call).await.is_err());
    notes.one_call("dropped in an interceptor", Code::Cancelled);
    let call = channel.bidi::<Both>().metadata("slow", "").timeout(MS);
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    notes.one_call("late in an interceptor", Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_started_twice_is_one_call_of_two_attempts_and_ends_as_its_caller_has_it() {
    let (builder, notes, mut peer) = measured();
    let twice = |call: CallContext, next: Next| async move {
        let mut first = next.clone().start(call.clone()).await?;
        first.outcome().await;
        let mut second = next.start(call).await?;
        second.on_end(|outcome| outcome.set_status(Err(Status::aborted("rewritten"))));
        Ok(second)
    };
    let channel = builder.intercept(twice).build().unwrap();
    let server = async {
        peer.next().await.fail("16", "who?");
        peer.next().await.reply(&["x"]);
    };
    let (result, ()) = tokio::join!(channel.unary::<One>(bytes("")).into_future(), server);
    assert_eq!(result.unwrap_err().code(), Code::Aborted);
    let told = notes.take();
    let ends: Vec<_> = told.iter().filter(|note| note.contains("end ")).collect();
    assert_eq!(ends, ["1 end UNAUTHENTICATED", "2 end OK", "end ABORTED"]);
    let begins: Vec<_> = told.iter().filter(|note| note.contains(" at ")).collect();
    let expected = [
        "1 at memory:peer transparent=false",
        "2 at memory:peer transparent=false",
    ];
    assert_eq!(begins, expected);
}
