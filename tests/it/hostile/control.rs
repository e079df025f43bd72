//! Frames that say nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE and what has no name.
//!
//! The h2 crate answers PING and SETTINGS one by one and reads on only when the answer has found
//! room, so nothing piles up; it closes no connection for there being many, and none is lost by a
//! client that measures its path often. The engine written for gRPC counts each kind and hangs up
//! on who sends more of it than anybody needs, saying so.

use std::time::Duration;

use super::process::{MB, is_native, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::support::{
    ENHANCE_YOUR_CALM, Flood, Pushed, Wire, last_data, note, ping, raw, request, settings, window,
};
use crate::world::soaking;

fn many(count: usize, piece: &Wire) -> Wire {
    (0..count).fold(Wire::default(), |all, _| all.and(piece.clone()))
}

struct Nuisance {
    name: &'static str,
    piece: Wire,
    /// Of the full number, a part of so many.
    share: u32,
    /// What a server says that has had enough of it.
    text: &'static str,
}

/// What to send over and over.
fn nuisances() -> Vec<Nuisance> {
    let nuisance = |name, piece, share, text| Nuisance {
        name,
        piece,
        share,
        text,
    };
    let widen = settings(&[(4, 65_536)]).and(settings(&[(4, 65_535)]));
    let tables = settings(&[(1, 0)]).and(settings(&[(1, 4_096)]));
    let priority = raw(2, 0, 2_001, &[0, 0, 0, 0, 1]);
    vec![
        nuisance("PING", ping(), 1, "too_many_pings"),
        nuisance("SETTINGS", settings(&[]), 1, "too_many_settings"),
        // Each goes through all open streams.
        nuisance(
            "SETTINGS of windows, 200 streams open",
            widen,
            100,
            "too_many_settings",
        ),
        nuisance("SETTINGS of table sizes", tables, 1, "too_many_settings"),
        nuisance(
            "PRIORITY of idle streams",
            priority,
            1,
            "too_many_useless_frames",
        ),
        nuisance("WINDOW_UPDATE", window(0, 1), 1, "too_many_window_updates"),
        nuisance(
            "frames without a name",
            raw(0x77, 0, 0, b"?"),
            1,
            "too_many_useless_frames",
        ),
        nuisance(
            "PING answers that nobody asked for",
            raw(6, 1, 0, &[0; 8]),
            1,
            "too_many_useless_frames",
        ),
    ]
}

/// A client that reads: it is served what it asks for, or hung up on, at its own cost and no other
/// connection's.
#[tokio::test]
async fn floods_of_control_frames_are_bounded() {
    let victim = Victim::start().await;
    for nuisance in nuisances() {
        let name = nuisance.name;
        let rounds = if soaking() { 1_000 } else { 10 } / nuisance.share;
        let rounds = rounds.max(1);
        let witness = Witness::start(victim.client()).await;
        let mut flood = Flood::connect(&victim.address).await;
        let open = (0..200).map(|number| request(1 + 2 * number, "/tests.echo.Echo/Chat"));
        flood.push(open.fold(Wire::default(), Wire::and)).await;
        let meter = victim.meter();
        let some = many(1_000, &nuisance.piece);
        if is_native() {
            is_hung_up_on(&mut flood, &nuisance, &some, rounds).await;
        } else {
            is_served(&mut flood, &nuisance, &some, rounds).await;
        }
        let used = meter.used();
        let latencies = witness.found_well().await;
        report(
            &format!("{} {name}", rounds * 1_000),
            format_args!("{used}; {latencies}"),
        );
        assert!(used.peak < 8 * MB, "{name}: {used}");
    }
    victim.end().await;
}

async fn is_served(flood: &mut Flood, nuisance: &Nuisance, some: &Wire, rounds: u32) {
    for _ in 0..rounds {
        let pushed = flood.push(some.clone()).await;
        assert_eq!(pushed, Pushed::Taken, "{}", nuisance.name);
    }
    let last = request(1_001, "/tests.echo.Echo/Once");
    let last = Wire::from(last).and(last_data(1_001, note("last")));
    flood.push(last).await;
    flood
        .until("all of it is looked at", |tally| tally.data_bytes > 0)
        .await;
}

async fn is_hung_up_on(flood: &mut Flood, nuisance: &Nuisance, some: &Wire, rounds: u32) {
    for _ in 0..rounds {
        if flood.push(some.clone()).await != Pushed::Taken {
            break;
        }
    }
    let tally = flood.closed().await;
    let said = Some((ENHANCE_YOUR_CALM, nuisance.text.to_owned()));
    assert_eq!(tally.goaway, said, "{}: {tally:?}", nuisance.name);
}

/// A client that does not read the answers: the server stops to read too, and holds no more than
/// what one write takes.
#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let victim = Victim::start().await;
    for (name, piece) in [("PING", ping()), ("SETTINGS", settings(&[]))] {
        let witness = Witness::start(victim.client()).await;
        let mut flood = Flood::deaf(&victim.address, &[]).await;
        let meter = victim.meter();
        let some = many(10_000, &piece);
        let mut sent = 0_u64;
        let patience = Duration::from_millis(if soaking() { 5_000 } else { 300 });
        while flood.push_for(some.clone(), patience).await == Pushed::Taken {
            sent += 10_000;
            assert!(sent < 10_000_000, "{name} is taken without end");
        }
        let used = meter.used();
        let latencies = witness.found_well().await;
        report(
            &format!("{name} whose answers are not read"),
            format_args!("stuck after {sent}; {used}; {latencies}"),
        );
        assert!(used.peak < 8 * MB, "{name}: {used}");
    }
    victim.end().await;
}
