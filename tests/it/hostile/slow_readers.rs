//! Clients that ask and do not read: what waits for them is bounded, and ends with them.

use std::time::Duration;

use trunkline::codegen::prost::Message;

use super::process::{MB, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::handlers::bytes;
use crate::support::{Flood, INITIAL_WINDOW_SIZE, Pushed, Wire, framed, last_data, request};
use crate::world::soaking;
use trunkline_test_protos::echo::Note;

/// Asks for so many messages of 1 KiB.
fn ask(stream: u32, messages: u64) -> Wire {
    let question = Note {
        number: messages,
        ..bytes(1_000)
    };
    let head = Wire::from(request(stream, "/tests.echo.Echo/Expand"));
    head.and(last_data(stream, framed(question.encode_to_vec())))
}

/// No window at all, on all the streams that there may be: each handler stops after 32 KiB and a
/// message.
#[tokio::test]
async fn streams_without_window_stop_their_handlers() {
    let mut victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let mut flood = Flood::deaf(&victim.address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    flood.listen();
    let meter = victim.meter();
    let all = (0..256).map(|number| ask(1 + 2 * number, 1_000_000));
    let all = all.fold(Wire::default(), Wire::and);
    assert_eq!(flood.push(all).await, Pushed::Taken);
    victim
        .until("all handlers to run", |counts| counts["rpcs"] >= 256)
        .await;
    let time = if soaking() { 2_000 } else { 300 };
    tokio::time::sleep(Duration::from_millis(time)).await;
    let used = meter.used();
    let latencies = witness.found_well().await;
    report(
        "256 answers without window",
        format_args!("{used}; {latencies}"),
    );
    assert!(used.peak < 32 * MB, "{used}");
    assert_eq!(flood.tally().data_bytes, 0);
    drop(flood);
    victim.end().await;
}

/// All the window there is, and a socket that nobody reads.
#[tokio::test]
async fn a_socket_that_nobody_reads_stops_its_handlers() {
    let mut victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let mut flood = Flood::deaf(&victim.address, &[(INITIAL_WINDOW_SIZE, (1 << 31) - 1)]).await;
    let meter = victim.meter();
    flood
        .push(crate::support::window(0, (1 << 31) - 1 - 65_535))
        .await;
    let all = (0..256).map(|number| ask(1 + 2 * number, 1_000_000));
    assert_eq!(
        flood.push(all.fold(Wire::default(), Wire::and)).await,
        Pushed::Taken
    );
    victim
        .until("all handlers to run", |counts| counts["rpcs"] >= 256)
        .await;
    let time = if soaking() { 3_000 } else { 500 };
    tokio::time::sleep(Duration::from_millis(time)).await;
    let used = meter.used();
    let latencies = witness.found_well().await;
    report(
        "256 answers to a socket that nobody reads",
        format_args!("{used}; {latencies}"),
    );
    assert!(used.peak < 64 * MB, "{used}");
    drop(flood);
    victim.end().await;
}

/// Answers of the kind that need no window: the server reads no further than they are read.
#[tokio::test]
async fn heads_of_answers_that_nobody_reads_do_not_pile_up() {
    let victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let mut flood = Flood::deaf(&victim.address, &[]).await;
    let meter = victim.meter();
    let mut stream = 1;
    let mut sent = 0;
    let patience = Duration::from_millis(if soaking() { 5_000 } else { 500 });
    loop {
        let mut some = Wire::default();
        for _ in 0..500 {
            let path = format!("/nobody/Knows{stream}");
            some = some.and(request(stream, &path).end());
            stream += 2;
        }
        if flood.push_for(some, patience).await != Pushed::Taken {
            break;
        }
        sent += 500;
        assert!(sent < 2_000_000, "taken without end");
    }
    let used = meter.used();
    let latencies = witness.found_well().await;
    report(
        "rejections that nobody reads",
        format_args!("stuck or closed after {sent}; {used}; {latencies}"),
    );
    assert!(used.peak < 16 * MB, "{used}");
    drop(flood);
    victim.end().await;
}

/// Paths that nobody has, each another one: answered, counted as one number, and forgotten.
#[tokio::test]
async fn distinct_unknown_methods_leave_nothing_behind() {
    let mut victim = Victim::start().await;
    let mut flood = Flood::connect(&victim.address).await;
    let rounds: u32 = if soaking() { 500 } else { 20 };
    let mut meter = victim.meter();
    for round in 0..rounds {
        if round == rounds / 10 {
            meter = victim.meter();
        }
        let mut some = Wire::default();
        for number in 0..100 {
            let stream = 1 + 2 * (round * 100 + number);
            let path = format!("/nobody.{stream}/Knows{}", "x".repeat(200));
            some = some.and(request(stream, &path).end());
        }
        flood.push(some).await;
        let answers = u64::from(round + 1) * 100;
        flood
            .until("all are answered", |tally| {
                tally.frames.get(&1) == Some(&answers)
            })
            .await;
    }
    let used = meter.used();
    let counts = victim.counts().await;
    report(&format!("{} distinct unknown methods", rounds * 100), used);
    assert_eq!(counts["rejected"], u64::from(rounds) * 100);
    assert!(used.kept < 4 * MB, "{used}");
    drop(flood);
    victim.end().await;
}
