//! Deadlines: whichever side's clock fires first, the call ends with DEADLINE_EXCEEDED and its
//! handler is dropped. On paused time: order and outcome, nothing is measured.

use std::time::Duration;

use trunkline::client::ChannelBuilder;
use trunkline::transport::now;
use trunkline::{Code, Origin, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, Told, bytes, note, number, scripted, telling};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Every handler does what it can at once and then waits for ever, under a guard.
fn stalling() -> (Scripted, Told) {
    let (teller, told) = telling();
    let [once, expand, collect, chat] = [(); 4].map(|()| teller.clone());
    let echo = Scripted::default()
        .once(move |_, _| {
            let guard = once.guard("once");
            Box::pin(async move {
                let _guard = guard;
                std::future::pending().await
            })
        })
        .expand(move |_, request, mut responses| {
            let guard = expand.guard("expand");
            Box::pin(async move {
                let _guard = guard;
                for n in 0..request.number {
                    responses.send(&number(n)).await?;
                }
                std::future::pending().await
            })
        })
        .collect(move |_, mut requests| {
            let guard = collect.guard("collect");
            Box::pin(async move {
                let _guard = guard;
                requests.recv().await?;
                std::future::pending().await
            })
        })
        .chat(move |_, mut requests, mut responses| {
            let guard = chat.guard("chat");
            Box::pin(async move {
                let _guard = guard;
                for _ in 0..3 {
                    let Some(each) = requests.recv().await? else {
                        break;
                    };
                    responses.send(&each).await?;
                }
                std::future::pending().await
            })
        });
    (echo, told)
}

#[track_caller]
pub(crate) fn exceeded(status: &Status) {
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(
        status.to_string().contains("/tests.echo.Echo/"),
        "names the method: {status}"
    );
}

/// All four kinds, each against a handler that has stalled.
async fn every_kind_expires(echo: &EchoClient, told: &mut Told) {
    exceeded(&echo.once(note("x")).await.unwrap_err());
    told.expect("once dropped").await;

    let mut notes = echo.expand(number(3)).await.unwrap();
    for n in 0..3 {
        assert_eq!(notes.recv().await.unwrap(), Some(number(n)));
    }
    exceeded(&notes.recv().await.unwrap_err());
    exceeded(&notes.recv().await.unwrap_err());
    told.expect("expand dropped").await;

    let (mut sender, sum) = echo.collect().await.unwrap();
    sender.send(&note("x")).await.unwrap();
    exceeded(&sum.await.unwrap_err());
    told.expect("collect dropped").await;
    drop(sender);

    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for n in 0..3 {
        sender.send(&number(n)).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), Some(number(n)));
    }
    sender.send(&number(3)).await.unwrap();
    exceeded(&receiver.recv().await.unwrap_err());
    told.expect("chat dropped").await;
}

async fn every_kind(server: Option<Duration>, client: Option<Duration>) {
    let (echo, mut told) = stalling();
    let mut server_of = scripted(echo);
    if let Some(limit) = server {
        server_of = server_of.max_timeout(limit);
    }
    let world = World::memory_with(server_of, |channel: ChannelBuilder| match client {
        Some(timeout) => channel.timeout(timeout),
        None => channel,
    });
    let echo = world.echo();
    let started = now();
    every_kind_expires(&echo, &mut told).await;
    let shortest = server.into_iter().chain(client).min().unwrap();
    assert!(now() - started >= 4 * shortest, "nothing ended early");
    drop(echo);
    world.end().await;
}

/// The server's limit is far away: the client's deadline counts, of which the server is told.
#[tokio::test(start_paused = true)]
async fn calls_of_every_kind_end_with_the_clients_deadline() {
    every_kind(Some(3600 * SECOND), Some(SECOND)).await;
}

/// The client has set none: only the server's clock can fire.
#[tokio::test(start_paused = true)]
async fn calls_of_every_kind_end_with_the_servers_limit() {
    every_kind(Some(SECOND), None).await;
}

/// Both clocks fire at the same moment: the caller hears the same.
#[tokio::test(start_paused = true)]
async fn calls_of_every_kind_end_when_both_are_over() {
    every_kind(Some(SECOND), Some(SECOND)).await;
}

/// The client asks for an hour; the server allows a second.
#[tokio::test(start_paused = true)]
async fn the_server_may_allow_less_than_the_client_asks_for() {
    let (echo, mut told) = stalling();
    let world = World::memory(scripted(echo).max_timeout(SECOND));
    let echo = world.echo();
    let started = now();
    let late = echo
        .once(note("x"))
        .timeout(3600 * SECOND)
        .await
        .unwrap_err();
    exceeded(&late);
    assert_eq!(late.origin(), Origin::Peer, "the server has said it");
    assert!(now() - started < 60 * SECOND);
    told.expect("once dropped").await;
    drop(echo);
    world.end().await;
}

/// A sender that waits for window is woken by its deadline, and so is the other half.
#[tokio::test(start_paused = true)]
async fn a_deadline_wakes_a_sender_that_waits_for_window() {
    let (echo, mut told) = stalling();
    let world = World::memory(scripted(echo));
    let echo = world.echo();
    let (mut sender, sum) = echo.collect().timeout(SECOND).await.unwrap();
    let stuck = async {
        loop {
            if let Err(status) = sender.send(&bytes(64 * 1024)).await {
                return status;
            }
        }
    };
    exceeded(&stuck.await);
    exceeded(&sum.await.unwrap_err());
    told.expect("collect dropped").await;
    drop(sender);

    let (mut sender, mut receiver) = echo.chat().timeout(SECOND).await.unwrap();
    for n in 0..3 {
        sender.send(&number(n)).await.unwrap();
    }
    let sending = async {
        loop {
            if let Err(status) = sender.send(&bytes(64 * 1024)).await {
                return status;
            }
        }
    };
    let receiving = async {
        loop {
            if let Err(status) = receiver.recv().await {
                return status;
            }
        }
    };
    let (sent, received) = tokio::join!(sending, receiving);
    exceeded(&sent);
    exceeded(&received);
    told.expect("chat dropped").await;
    drop((sender, receiver, echo));
    world.end().await;
}
