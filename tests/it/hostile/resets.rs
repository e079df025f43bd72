//! Streams that are opened and reset, by the client or by what it makes the server do: handlers
//! never pile up, and the connection is closed.

use super::process::{MB, is_native, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::support::{
    CANCEL, ENHANCE_YOUR_CALM, Flood, Headers, Pushed, Tally, Wire, data, headers, last_data, ping,
    raw, request, reset, window,
};
use crate::world::soaking;

const CHAT: &str = "/tests.echo.Echo/Chat";

/// Handlers that one connection may have running: the default of `max_concurrent_streams`.
const STREAMS: u64 = 256;

/// Resets that a client may provoke.
const PROVOKED: u64 = 1_024;

fn chat(stream: u32) -> Headers {
    request(stream, CHAT)
}

/// So many streams, opened and reset at once, from this one on.
fn opened_and_reset(from: u32, count: u32) -> Wire {
    let mut flood = Wire::default();
    for number in 0..count {
        let stream = from + 2 * number;
        flood = flood.and(chat(stream)).and(reset(stream, CANCEL));
    }
    flood
}

/// Faster than the server looks: GOAWAY ENHANCE_YOUR_CALM, every time.
#[tokio::test]
async fn a_burst_of_resets_ends_its_connection_and_hurts_no_other() {
    let mut victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let meter = victim.meter();
    let bursts = if soaking() { 100 } else { 3 };
    let burst = opened_and_reset(1, 1_000);
    for _ in 0..bursts {
        let mut flood = Flood::connect(&victim.address).await;
        flood.push(burst.clone()).await;
        let tally = flood.closed().await;
        assert_eq!(tally.goaway_code(), Some(ENHANCE_YOUR_CALM), "{tally:?}");
    }
    let used = meter.used();
    let latencies = witness.found_well().await;
    let counts = victim.counts().await;
    report(
        "bursts of 1,000 HEADERS + RST_STREAM",
        format_args!(
            "{bursts} of them, {} handlers at most; {used}; {latencies}",
            counts["most"]
        ),
    );
    // The witness has one of its own.
    assert!(counts["most"] <= STREAMS + 1, "{counts:?}");
    assert!(used.peak < 20 * MB, "{used}");
    victim.end().await;
}

/// No faster than the server looks. Each costs one start of a handler, and nothing is left of it.
/// The h2 crate takes it for a client that cancels its calls, and goes on without end. The engine
/// written for gRPC knows how old the streams are: who opens some hundreds only to reset them at
/// once is hung up on.
#[tokio::test]
async fn a_steady_stream_of_resets_piles_up_no_handlers() {
    let mut victim = Victim::patient().await;
    let witness = Witness::start(victim.client()).await;
    let mut flood = Flood::connect(&victim.address).await;
    let meter = victim.meter();
    let rounds: u32 = if soaking() { 1_000 } else { 30 };
    for round in 0..rounds {
        let some = opened_and_reset(1 + 200 * round, 100).and(ping());
        let pushed = flood.push(some).await;
        let pongs = u64::from(round) + 1;
        let tally = flood
            .until("the PING is answered", |tally| {
                tally.closed.is_some() || tally.pongs == pongs
            })
            .await;
        if is_native() && tally.closed.is_some() {
            break;
        }
        assert_eq!((pushed, tally.closed), (Pushed::Taken, None));
    }
    let used = meter.used();
    let latencies = witness.found_well().await;
    if is_native() {
        let tally = flood.tally();
        let said = Some((ENHANCE_YOUR_CALM, "too_many_resets".to_owned()));
        assert_eq!(tally.goaway, said, "{tally:?}");
    }
    drop(flood);
    let all = 100 * u64::from(rounds);
    let counts = victim
        .until("every RPC to be cancelled", |counts| {
            let cancelled = counts["cancelled"];
            cancelled == all || (is_native() && counts["running"] == 0)
        })
        .await;
    report(
        "HEADERS + RST_STREAM, a hundred at a time",
        format_args!(
            "{} of them, {} handlers at most; {used}; {latencies}",
            counts["cancelled"], counts["most"]
        ),
    );
    assert!(counts["most"] <= STREAMS + 1, "{counts:?}");
    assert!(used.peak < 20 * MB, "{used}");
    victim.end().await;
}

/// What makes a server reset a stream whose handler it has started: the beginning, and the fault.
fn provocations(stream: u32) -> Vec<(&'static str, Wire, Wire)> {
    let open = || Wire::from(chat(stream));
    let ended = || Wire::from(chat(stream).end());
    let depends_on_itself = [stream.to_be_bytes().as_slice(), &[1]].concat();
    vec![
        ("a WINDOW_UPDATE of 0", open(), window(stream, 0)),
        (
            "a WINDOW_UPDATE over 2 GiB",
            open(),
            window(stream, (1 << 31) - 1),
        ),
        ("DATA after END_STREAM", ended(), data(stream, "x")),
        ("HEADERS after END_STREAM", ended(), ended()),
        (
            "trailers without END_STREAM",
            open(),
            headers(stream).field("x", "y").into(),
        ),
        (
            "more DATA than announced",
            chat(stream).field("content-length", "1").into(),
            data(stream, "xyz"),
        ),
        (
            "less DATA than announced",
            chat(stream).field("content-length", "9").into(),
            last_data(stream, "xyz"),
        ),
        (
            "a PRIORITY of the wrong length",
            open(),
            raw(2, 0, stream, &[0; 4]),
        ),
        (
            "a stream that depends on itself",
            open(),
            raw(2, 0, stream, &depends_on_itself),
        ),
        ("PUSH_PROMISE", open(), raw(5, 4, stream, &[0, 0, 0, 2])),
        (
            "a field name in capitals",
            chat(stream).field("Bad", "x").into(),
            Wire::default(),
        ),
    ]
}

/// However a client makes the server reset streams: the connection is closed before there are more
/// than a thousand or so of them, and the handlers are dropped.
#[tokio::test]
async fn a_client_that_provokes_resets_is_hung_up_on() {
    let mut victim = Victim::patient().await;
    let witness = Witness::start(victim.client()).await;
    let meter = victim.meter();
    for kind in 0..provocations(1).len() {
        let provocation = |stream| provocations(stream).swap_remove(kind);
        let (name, ..) = provocation(1);
        let mut flood = Flood::connect(&victim.address).await;
        let mut streams = (1..).step_by(2);
        let mut sent = 0;
        while flood.tally().closed.is_none() {
            assert!(sent <= PROVOKED, "{name}: {:?}", flood.tally());
            // A few at a time, whose handlers are all running when the fault comes.
            let (mut heads, mut faults) = (Wire::default(), Wire::default());
            for stream in streams.by_ref().take(64) {
                let (_, head, fault) = provocation(stream);
                heads = heads.and(head);
                faults = faults.and(fault);
                sent += 1;
            }
            for some in [heads, faults] {
                let before = flood.tally().pongs;
                flood.push(some.and(ping())).await;
                let looked_at = |tally: &Tally| tally.pongs > before;
                flood
                    .until("it is seen", |tally| {
                        tally.closed.is_some() || looked_at(tally)
                    })
                    .await;
            }
        }
        let tally = flood.closed().await;
        drop(flood);
        let counts = victim
            .until("every handler to be dropped", |counts| {
                counts["running"] == 0
            })
            .await;
        report(
            name,
            format_args!(
                "closed after {sent} streams with {:?}, {} resets, {} handlers at most",
                tally.goaway,
                tally.all_resets(),
                counts["most"]
            ),
        );
        assert!(tally.goaway.is_some(), "{name}: {tally:?}");
        assert!(tally.all_resets() <= PROVOKED, "{name}: {tally:?}");
    }
    let used = meter.used();
    let latencies = witness.found_well().await;
    report("all provocations", format_args!("{used}; {latencies}"));
    assert!(used.peak < 20 * MB, "{used}");
    victim.end().await;
}
