//! Listeners that fail, sockets that say nothing, and more connections than allowed.

use std::collections::VecDeque;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use trunkline_server::Server;
use trunkline_transport::http2::ServerConfig;
use trunkline_transport::memory::MemoryListener;
use trunkline_transport::{Address, BoxIo, Connector, Listener, memory};

use crate::service::{CALL, Service, State};
use crate::support::{How, assert_quiet, connect, only, single, until, world, world_with};

/// Fails as often as it is told to before it accepts.
struct Failing {
    inner: MemoryListener,
    errors: VecDeque<io::Error>,
}

impl Listener for Failing {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => self.inner.accept().await,
        }
    }

    fn address(&self) -> Address {
        self.inner.address()
    }
}

#[tokio::test(start_paused = true)]
async fn no_error_ends_the_accept_loop() {
    let (connector, inner) = memory::pair("test");
    let emfile = || io::Error::from_raw_os_error(24);
    let mut errors: VecDeque<_> = (0..10).map(|_| emfile()).collect();
    errors.extend((0..1000).map(|_| io::ErrorKind::ConnectionAborted.into()));
    errors.push_back(io::Error::other("never heard of"));
    let listener = Failing { inner, errors };
    let server = Server::insecure()
        .add_service(Service(State::new(1)))
        .listen(listener)
        .unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let started = Instant::now();
    let client = connect(&connector).await;
    // 5 + 10 + ... + 640 + 1000 + 1000 ms, nothing for lost connections, 1000 ms.
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(6),
        "{took:?}"
    );
    let mut responses = single(&client, CALL, b"x", &How::default());
    assert_eq!(only(&mut responses).await.unwrap(), "x");
    assert_eq!(handle.stats().accept_errors, 1011);
    drop(client);
    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await.unwrap().unwrap();
    assert_quiet(&handle.stats());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_pause() {
    let (_connector, inner) = memory::pair("test");
    let errors = (0..100).map(|_| io::Error::from_raw_os_error(24)).collect();
    let listener = Failing { inner, errors };
    let server = Server::insecure().listen(listener).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    until(&handle, |stats| stats.accept_errors == 9).await;
    let report = handle.graceful_stop(Duration::from_secs(5)).await;
    assert!(report.elapsed < Duration::from_millis(100), "{report:?}");
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn silent_sockets_are_closed_at_the_limit_and_hold_nobody_up() {
    let world = world_with(1, |builder| {
        let mut config = ServerConfig::default();
        config.handshake_timeout = Duration::from_secs(3);
        builder.http2(config)
    })
    .await;
    let address = Address::Memory("test".into());
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(world.connector.connect(&address).await.unwrap());
    }
    let started = Instant::now();
    world.until(|stats| stats.live_connections == 1001).await;
    let good = connect(&world.connector).await;
    let mut responses = single(&good, CALL, b"x", &How::default());
    assert_eq!(only(&mut responses).await.unwrap(), "x");
    assert!(started.elapsed() < Duration::from_millis(200));

    let stats = world.until(|stats| stats.live_connections == 2).await;
    assert_eq!(stats.handshakes_failed, 1000);
    assert!(started.elapsed() < Duration::from_millis(3200));
    // What was written before is there to be read, and then the end.
    let mut rest = Vec::new();
    silent[0].read_to_end(&mut rest).await.unwrap();
    drop(good);
    world.end().await;
}

#[tokio::test]
async fn noise_is_no_connection() {
    let world = world().await;
    let address = Address::Memory("test".into());
    for _ in 0..100 {
        let mut io = world.connector.connect(&address).await.unwrap();
        io.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0])
            .await
            .unwrap();
        io.write_all(&[0; 64]).await.ok();
        drop(io);
    }
    let stats = world.until(|stats| stats.connections_accepted == 101).await;
    assert_eq!(stats.rpcs_started, 0);
    world.until(|stats| stats.live_connections == 1).await;
    assert_eq!(world.call("fine").await.unwrap(), "fine");
    world.end().await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let world = world_with(1, |builder| builder.max_connections(2)).await;
    let second = connect(&world.connector).await;
    let address = Address::Memory("test".into());
    let mut third = world.connector.connect(&address).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(third.read_to_end(&mut rest).await.unwrap(), 0);
    assert_eq!(world.stats().connections_refused, 1);

    assert_eq!(world.call("fine").await.unwrap(), "fine");
    drop(second);
    world.until(|stats| stats.live_connections == 1).await;
    let third = connect(&world.connector).await;
    let mut responses = single(&third, CALL, b"x", &How::default());
    assert_eq!(only(&mut responses).await.unwrap(), "x");
    drop((responses, third));
    world.end().await;
}

#[tokio::test]
async fn several_listeners_serve_the_same_services() {
    let (first, one) = memory::pair("one");
    let (second, two) = memory::pair("two");
    let state = State::new(1);
    let server = Server::insecure()
        .add_service(Service(Arc::clone(&state)))
        .listener(one)
        .listener(two)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let addresses: Vec<_> = server
        .local_addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses[..2], ["memory:one", "memory:two"]);
    assert_eq!(*server.local_address(), server.local_addresses()[2]);
    let tcp = server.local_address().clone();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    for connector in [&first, &second] {
        let client = connect(connector).await;
        let mut responses = single(&client, CALL, b"x", &How::default());
        assert_eq!(only(&mut responses).await.unwrap(), "x");
    }
    let io = trunkline_transport::TcpConnector::default()
        .connect(&tcp)
        .await
        .unwrap();
    drop(io);
    handle.graceful_stop(Duration::from_secs(5)).await;
    serving.await.unwrap().unwrap();
    assert_quiet(&handle.stats());
    // The port is free again.
    Server::insecure().bind(tcp.to_string()).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = Server::insecure().bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_address().to_string();
    let status = Server::insecure().bind(&address).await.unwrap_err();
    let text = status.to_string();
    let start = format!("UNAVAILABLE: cannot listen on {address}: ");
    assert!(text.starts_with(&start), "{text}");
    let cause = status
        .source()
        .expect("a cause")
        .downcast_ref::<io::Error>();
    assert_eq!(cause.unwrap().kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn of_several_addresses_the_first_free_one_is_bound_or_all_are_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let foreign: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let candidates = [taken, foreign, "127.0.0.1:0".parse().unwrap()];
    let server = Server::insecure().bind(&candidates[..]).await.unwrap();
    assert!(server.local_address().to_string().starts_with("127.0.0.1:"));
    let status = Server::insecure().bind(&candidates[..2]).await.unwrap_err();
    let text = status.to_string();
    assert!(text.contains(&format!("listen on {taken}: ")), "{text}");
    assert!(text.contains("; on 192.0.2.1:1: "), "{text}");
}

#[tokio::test]
async fn what_gives_no_address_is_named() {
    let status = Server::insecure().bind("127.0.0.1").await.unwrap_err();
    let text = status.to_string();
    let start = "UNAVAILABLE: cannot listen on \"127.0.0.1\": ";
    assert!(text.starts_with(start), "{text}");
    let status = Server::insecure().bind(&[][..]).await.unwrap_err();
    let text = status.to_string();
    assert_eq!(
        text,
        "UNAVAILABLE: cannot listen on []: it resolves to no address"
    );
}
