//! A channel connects when it is needed, again when it must, to whom it can reach.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use trunkline::client::BackoffConfig;
use trunkline::server::ServerHandle;
use trunkline::transport::{Listener, memory};
use trunkline::{Channel, Code};
use trunkline_test_protos::echo::EchoClient;

use crate::errors::closed_port;
use crate::handlers::{note, number, plain};
use crate::world::{PATIENCE, World, soon, until};

/// Backoff of a few milliseconds: for tests on real sockets, thus on real time.
fn impatient() -> BackoffConfig {
    let mut backoff = BackoffConfig::default();
    backoff.initial = Duration::from_millis(20);
    backoff.max = Duration::from_millis(100);
    backoff
}

fn impatient_echo(address: SocketAddr) -> EchoClient {
    let channel = Channel::builder(address.to_string())
        .insecure()
        .backoff(impatient());
    EchoClient::new(channel.build().unwrap())
}

/// A plain server on this very address.
async fn serve(address: SocketAddr) -> ServerHandle {
    let server = plain().bind(address).await.unwrap();
    let handle = server.handle();
    tokio::spawn(server.serve());
    handle
}

async fn stop(handle: &ServerHandle) {
    let report = soon(handle.graceful_stop(PATIENCE)).await;
    assert_eq!(report.unfinished, 0, "{report:?}");
}

#[tokio::test]
async fn nothing_is_connected_before_the_first_call() {
    let world = World::tcp(plain()).await;
    let (echo, ledger) = (world.echo(), world.ledger());
    let unsent = echo.once(note("x"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.stats().connections_accepted, 0);
    soon(unsent).await.unwrap();
    soon(ledger.double(crate::handlers::amount(1)))
        .await
        .unwrap();
    assert_eq!(world.stats().connections_accepted, 1);
    drop((echo, ledger));
    world.end().await;
}

/// The connection goes with the last clone, and not before.
#[tokio::test]
async fn connections_close_with_the_last_clone() {
    let world = World::tcp(plain()).await;
    let other = EchoClient::new(world.channel.clone());
    soon(world.echo().once(note("x"))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(world.stats().live_connections, 1, "the channel holds it");
    drop(other);
    world.end().await;
}

/// A restarted server: fail-fast calls say so meanwhile, calls that wait get through.
#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let address = closed_port().await;
    let first = serve(address).await;
    let echo = impatient_echo(address);
    soon(echo.once(note("one"))).await.unwrap();
    stop(&first).await;

    let refused = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(
        refused.to_string().contains(&address.to_string()),
        "{refused}"
    );
    assert!(refused.is_unprocessed());

    let waiting = tokio::spawn(echo.once(note("two")).wait_for_ready(true).owned());
    // Some attempts fail first.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    let second = serve(address).await;
    assert_eq!(soon(waiting).await.unwrap().unwrap().text, "two");
    assert_eq!(soon(echo.once(note("three"))).await.unwrap().text, "three");
    assert_eq!(second.stats().connections_accepted, 1);
    drop(echo);
    until(&second, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    stop(&second).await;
}

/// The server stops between two calls and is back before the second: nobody notices.
#[tokio::test]
async fn a_lost_connection_is_replaced_without_an_error() {
    let address = closed_port().await;
    let first = serve(address).await;
    let echo = impatient_echo(address);
    soon(echo.once(note("one"))).await.unwrap();
    stop(&first).await;
    let second = serve(address).await;
    assert_eq!(soon(echo.once(note("two"))).await.unwrap().text, "two");
    drop(echo);
    until(&second, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    stop(&second).await;
}

/// The first server to say no is not the last.
#[tokio::test]
async fn addresses_are_tried_in_order() {
    let (first, second) = (closed_port().await, closed_port().await);
    let (world, spare) = (World::tcp(plain()).await, World::tcp(plain()).await);
    let target = format!("ipv4:{first},{second},{},{}", world.address, spare.address);
    let echo = EchoClient::new(Channel::insecure(target).unwrap());
    for n in 0..10 {
        assert_eq!(soon(echo.once(number(n))).await.unwrap().number, n);
    }
    assert_eq!(world.stats().connections_accepted, 1);
    assert_eq!(
        spare.stats().connections_accepted,
        0,
        "the first that answers serves"
    );
    drop(echo);
    world.end().await;
    spare.end().await;
}

/// All down: each address with its own cause.
#[tokio::test]
async fn when_no_address_answers_the_error_lists_them_all() {
    let addresses = [closed_port().await, closed_port().await];
    let target = format!("ipv4:{},{}", addresses[0], addresses[1]);
    let echo = EchoClient::new(Channel::insecure(target).unwrap());
    let failed = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    for address in addresses {
        assert!(
            failed.to_string().contains(&format!("{address}")),
            "{failed}"
        );
    }
    assert!(
        failed.to_string().matches("refused").count() >= 2,
        "{failed}"
    );
}

/// A silent peer holds its address for the connect timeout, not the channel for ever.
#[tokio::test]
async fn a_silent_address_is_left_for_the_next() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::tcp(plain()).await;
    let target = format!("ipv4:{},{}", silent.local_addr().unwrap(), world.address);
    let channel = Channel::builder(target)
        .insecure()
        .connect_timeout(Duration::from_millis(100));
    let echo = EchoClient::new(channel.build().unwrap());
    assert_eq!(soon(echo.once(note("x"))).await.unwrap().text, "x");
    drop(echo);
    world.end().await;
}

/// The address that a listener shows is the one that its clients name.
#[tokio::test]
async fn a_server_says_where_it_listens() {
    let (_connector, listener) = memory::pair("here");
    assert_eq!(listener.address().to_string(), "memory:here");
    let server = plain()
        .listener(listener)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let addresses: Vec<_> = server
        .local_addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses[0], "memory:here");
    assert_eq!(addresses[1], server.local_address().to_string());
}
