//! DATA that nobody reads, and messages that are only announced: neither costs memory.

use super::process::{MB, is_native, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::support::{
    CANCEL, ENHANCE_YOUR_CALM, Flood, Pushed, Wire, data, padded, ping, prefix, request, reset,
};
use crate::world::soaking;

const CHAT: &str = "/tests.echo.Echo/Chat";

fn many(count: usize, piece: &Wire) -> Wire {
    (0..count).fold(Wire::default(), |all, _| all.and(piece.clone()))
}

/// Frames of next to nothing to a handler that does not read: the connection is closed, or they
/// are thrown away, or what is in them is joined.
#[tokio::test]
async fn tiny_frames_to_an_unread_stream_cost_no_memory() {
    let mut victim = Victim::patient().await;
    let witness = Witness::start(victim.client()).await;
    let rounds = if soaking() { 1_000 } else { 20 };
    // The h2 crate throws away what is empty, and hangs up on what costs it a handle per byte; the
    // other engine the other way round.
    let native = is_native();
    for (name, piece, closed) in [
        ("empty DATA", data(1, ""), native),
        ("DATA of one byte", data(1, "x"), !native),
        ("DATA of padding", padded(1, b"", 0), native),
        ("DATA of 255 bytes of padding", padded(1, b"", 255), native),
    ] {
        let mut flood = Flood::connect(&victim.address).await;
        flood.push(request(1, CHAT)).await;
        let meter = victim.meter();
        let some = many(1_000, &piece).and(ping());
        let mut sent = 0;
        for _ in 0..rounds {
            if flood.push(some.clone()).await != Pushed::Taken {
                break;
            }
            sent += 1_000;
        }
        let tally = if closed {
            flood.closed().await
        } else {
            let pongs = sent / 1_000;
            flood
                .until("all of it is looked at", |tally| {
                    tally.pongs == pongs || tally.closed.is_some()
                })
                .await
        };
        let used = meter.used();
        report(
            &format!("{name} to an unread stream"),
            format_args!("{sent} frames, {:?}; {used}", tally.goaway),
        );
        if closed {
            assert_eq!(tally.goaway_code(), Some(ENHANCE_YOUR_CALM), "{tally:?}");
        }
        assert!(used.peak < 8 * MB, "{name}: {used}");
        drop(flood);
        victim
            .until("its handler to be dropped", |counts| counts["running"] == 0)
            .await;
    }
    report("tiny frames", witness.found_well().await);
    victim.end().await;
}

/// Frames to streams that are over are thrown away, and counted against nobody's memory.
#[tokio::test]
async fn data_to_streams_that_are_over_is_forgotten() {
    let mut victim = Victim::start().await;
    let mut flood = Flood::connect(&victim.address).await;
    flood
        .push(Wire::from(request(1, CHAT)).and(reset(1, CANCEL)))
        .await;
    let meter = victim.meter();
    let some = many(16, &data(1, vec![0; 16_000]));
    let mut sent = 0;
    for _ in 0..if soaking() { 1_000 } else { 40 } {
        if flood.push(some.clone()).await != Pushed::Taken {
            break;
        }
        sent += 16;
    }
    let used = meter.used();
    let tally = flood.tally();
    report(
        "16 KB each to a stream that was reset",
        format_args!("{sent} frames, {:?}; {used}", tally.goaway),
    );
    assert!(used.peak < 8 * MB, "{used}");
    drop(flood);
    victim
        .until("its handler to be dropped", |counts| counts["running"] == 0)
        .await;
    victim.end().await;
}

/// A thousand streams announce 4 MiB each and send five bytes: memory is taken for what has come.
#[tokio::test]
async fn announced_messages_take_no_memory() {
    let mut victim = Victim::start().await;
    // What connections and handlers cost by themselves is not what this is about.
    let mut floods = Vec::new();
    for _ in 0..4 {
        let mut flood = Flood::connect(&victim.address).await;
        let heads = (0..250).map(|number| request(1 + 2 * number, "/tests.echo.Echo/Collect"));
        let heads = heads.fold(Wire::default(), Wire::and);
        flood.push(heads).await;
        floods.push(flood);
    }
    victim
        .until("all handlers to run", |counts| counts["rpcs"] == 1_000)
        .await;
    let meter = victim.meter();
    for flood in &mut floods {
        let claims = (0..250).map(|number| data(1 + 2 * number, prefix(0, 4 << 20)));
        let claims = claims.fold(Wire::default(), Wire::and);
        flood.push(claims.and(ping())).await;
    }
    for flood in &floods {
        flood
            .until("all of it is looked at", |tally| tally.pongs == 1)
            .await;
    }
    let used = meter.used();
    report("4 MiB announced on each of 1,000 streams", used);
    assert!(used.peak < 8 * MB, "{used}");
    drop(floods);
    victim.end().await;
}
