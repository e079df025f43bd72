//! A channel without calls lets go of its connections, and the next call has them again.

use std::time::Duration;

use trunkline::client::ConnectivityState::{Idle, Ready};
use trunkline::transport::now;

use crate::handlers::{note, plain};
use crate::world::{World, soon};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn half_an_hour_without_a_call_closes_the_connection() {
    let world = World::memory(plain());
    let echo = world.echo();
    for round in 1..=3 {
        soon(echo.once(note("x"))).await.unwrap();
        let last = now();
        assert_eq!(world.stats().connections_accepted, round);
        let state = tokio::time::timeout(60 * MINUTE, world.channel.changed(Ready)).await;
        assert_eq!(state, Ok(Idle));
        let after = now() - last;
        assert!((30 * MINUTE..=35 * MINUTE).contains(&after), "{after:?}");
        world
            .until("no connection", |stats| stats.live_connections == 0)
            .await;
        tokio::time::sleep(100 * MINUTE).await;
        assert_eq!(
            world.channel.state(),
            Idle,
            "it stays so until a call comes"
        );
    }
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_is_activity() {
    let world = World::memory(plain());
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&note("one")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("one")));
    tokio::time::sleep(300 * MINUTE).await;
    assert_eq!(world.channel.state(), Ready);
    sender.send(&note("two")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("two")));
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop(receiver);
    let state = tokio::time::timeout(36 * MINUTE, world.channel.changed(Ready)).await;
    assert_eq!(state, Ok(Idle));
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_now_and_then_keeps_the_connection() {
    let world = World::memory(plain());
    let echo = world.echo();
    for _ in 0..20 {
        soon(echo.once(note("x"))).await.unwrap();
        tokio::time::sleep(29 * MINUTE).await;
        assert_eq!(world.channel.state(), Ready);
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_timeout_can_be_chosen_or_turned_off() {
    let world = World::memory_with(plain(), |channel| channel.idle_timeout(MINUTE));
    soon(world.echo().once(note("x"))).await.unwrap();
    let state = tokio::time::timeout(2 * MINUTE, world.channel.changed(Ready)).await;
    assert_eq!(state, Ok(Idle));
    world.end().await;

    let world = World::memory_with(plain(), |channel| channel.idle_timeout(None));
    soon(world.echo().once(note("x"))).await.unwrap();
    tokio::time::sleep(10_000 * MINUTE).await;
    assert_eq!(world.channel.state(), Ready);
    world.end().await;
}

/// Calls that come just when the channel lets go find a connection, each of them.
#[tokio::test(start_paused = true)]
async fn no_call_is_lost_on_the_edge_of_idleness() {
    let timeout = Duration::from_secs(6);
    let world = World::memory_with(plain(), |channel| channel.idle_timeout(timeout));
    let echo = world.echo();
    for step in 0..200_u64 {
        soon(echo.once(note("x"))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5_990 + step * 6)).await;
    }
    let opened = world.stats().connections_accepted;
    assert!((2..200).contains(&opened), "{opened}");
    drop(echo);
    world.end().await;
}
