//! Connections that come to nothing: junk, resets, silence, and more of them than there are
//! descriptors. The door stays open for those who mean it.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use trunkline::transport::http2::ServerConfig;
use trunkline::transport::memory;
use trunkline::transport::{Connector, now};
use trunkline::{Channel, Code};
use trunkline_test_protos::echo::EchoClient;

use super::process::{MB, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::handlers::{note, plain};
use crate::world::{PATIENCE, soaking, soon, until};

const SECOND: Duration = Duration::from_secs(1);

/// How a TLS client begins, and never goes on.
const HALF_A_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

async fn connect(address: &str) -> TcpStream {
    soon(TcpStream::connect(address)).await.unwrap()
}

/// Each is counted, costs a moment, and leaves nothing behind.
#[tokio::test]
async fn junk_hellos_and_resets_leave_nothing_behind() {
    let mut victim = Victim::tls().await;
    let witness = Witness::start(victim.client()).await;
    let count: u64 = if soaking() { 10_000 } else { 400 };
    let meter = victim.meter();
    for number in 0..count {
        let mut io = connect(&victim.address).await;
        match number % 4 {
            // Gone at once, by RST.
            0 => io.set_zero_linger().unwrap(),
            1 => {
                let _ = io.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
            }
            2 => {
                let _ = io.write_all(&[0x16, 3, 1, 0xff, 0xff]).await;
            }
            _ => {
                let _ = io.write_all(HALF_A_HELLO).await;
                io.set_zero_linger().unwrap();
            }
        }
    }
    // An RST may come before the connection is accepted, and is an error of the listener then.
    victim
        .until("all are counted", |counts| {
            counts["handshakes_failed"] + counts["accept_errors"] == count
        })
        .await;
    let used = meter.used();
    let latencies = witness.found_well().await;
    report(
        &format!("{count} junk TLS hellos and resets"),
        format_args!("{used}; {latencies}"),
    );
    assert!(used.peak < 16 * MB, "{used}");
    victim.end().await;
}

/// Without descriptors the server waits, at next to no cost, and counts; those who are connected
/// are served meanwhile, and those who come are as soon as there is room.
#[tokio::test]
async fn a_server_out_of_descriptors_accepts_again() {
    const DESCRIPTORS: u32 = 64;
    let mut victim = Victim::with_descriptors(DESCRIPTORS).await;
    let witness = Witness::start(victim.client()).await;
    let mut many = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        many.push(connect(&victim.address).await);
    }
    victim
        .until("there to be no more descriptors", |counts| {
            counts["accept_errors"] > 0
        })
        .await;
    let meter = victim.meter();
    let time = if soaking() { 5 * SECOND } else { SECOND / 2 };
    tokio::time::sleep(time).await;
    let used = meter.used();
    let late = tokio::spawn(victim.client().once(note("late")).owned());
    drop(many);
    let answer = soon(late).await.unwrap();
    let latencies = witness.found_well().await;
    let counts = victim.counts().await;
    report(
        "out of descriptors",
        format_args!(
            "{} accept errors in {time:?}; {used}; {latencies}",
            counts["accept_errors"]
        ),
    );
    assert_eq!(answer.unwrap().text, "late");
    // Five in the first tenth of a second, then fewer and fewer.
    assert!(counts["accept_errors"] < 50, "{counts:?}");
    victim.end().await;
}

/// A thousand clients that say nothing, half of what they must, or one byte per second: a good one
/// does not notice, and they are closed at the limit.
#[tokio::test(start_paused = true)]
async fn slow_prefaces_delay_nobody_and_end_at_the_limit() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (connector, listener) = memory::pair("door");
    let mut http2 = ServerConfig::default();
    http2.handshake_timeout = 10 * SECOND;
    let server = plain().http2(http2).listen(listener).unwrap();
    let (handle, address) = (server.handle(), server.local_address().clone());
    let serving = tokio::spawn(server.serve());
    let each: u64 = if soaking() { 400 } else { 100 };
    let mut silent = Vec::new();
    let mut dripping = Vec::new();
    for _ in 0..each {
        silent.push(connector.connect(&address).await.unwrap());
        let mut half = connector.connect(&address).await.unwrap();
        half.write_all(&PREFACE[..20]).await.unwrap();
        silent.push(half);
        let mut slow = connector.connect(&address).await.unwrap();
        dripping.push(tokio::spawn(async move {
            for byte in PREFACE {
                if slow.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(SECOND).await;
            }
        }));
    }
    let channel = Channel::builder("memory:door")
        .insecure()
        .connector(connector);
    let echo = EchoClient::new(channel.build().unwrap());
    let began = now();
    assert_eq!(soon(echo.once(note("x"))).await.unwrap().text, "x");
    assert!(now() - began < SECOND, "paused time stands still");
    tokio::time::sleep(11 * SECOND).await;
    until(&handle, "all are closed", |stats| {
        stats.handshakes_failed == 3 * each && stats.live_connections == 1
    })
    .await;
    assert_eq!(soon(echo.once(note("y"))).await.unwrap().text, "y");
    drop((echo, silent));
    for each in dripping {
        soon(each).await.unwrap();
    }
    soon(handle.graceful_stop(PATIENCE)).await;
    soon(serving).await.unwrap().unwrap();
}

/// Connections that are opened, agreed on and dropped, over and over.
#[tokio::test]
async fn churn_leaves_nothing_behind() {
    let mut victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let count: u64 = if soaking() { 20_000 } else { 300 };
    let mut meter = victim.meter();
    for number in 0..count {
        if number == count / 10 {
            // What the first ones cost stays with the allocator.
            meter = victim.meter();
        }
        let mut flood = crate::support::Flood::connect(&victim.address).await;
        flood
            .push(crate::support::request(1, "/tests.echo.Echo/Chat"))
            .await;
    }
    victim
        .until("all are gone", |counts| counts["connections"] == 1)
        .await;
    let used = meter.used();
    let latencies = witness.found_well().await;
    report(
        &format!("{count} connections with a call each, dropped"),
        format_args!("{used}; {latencies}"),
    );
    assert!(used.kept < 8 * MB, "{used}");
    victim.end().await;
}

/// One connection more than the limit is closed at once, whoever it is, and costs nothing.
#[tokio::test]
async fn a_flood_of_connections_over_the_limit_is_turned_away() {
    let server = plain().max_connections(10);
    let world = crate::world::World::tcp(server).await;
    let echo = world.echo();
    soon(echo.once(note("x"))).await.unwrap();
    let address = world.address.to_string();
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(connect(&address).await);
    }
    world
        .until("the others to be refused", |stats| {
            stats.connections_refused == 191
        })
        .await;
    let other = EchoClient::new(Channel::insecure(&address).unwrap());
    let refused = soon(other.once(note("x"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert_eq!(soon(echo.once(note("y"))).await.unwrap().text, "y");
    drop((held, echo, other));
    world.end().await;
}
