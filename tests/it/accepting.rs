//! Nothing that happens at the door ends the accepting: not errors, not floods, not the limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use trunkline::transport::http2::ServerConfig;
use trunkline::transport::memory::{self, MemoryListener};
use trunkline::transport::{Address, BoxIo, Connector, Listener, now};
use trunkline::{Channel, Code, Server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, note, plain};
use crate::world::{PATIENCE, World, soon, until};

const SECOND: Duration = Duration::from_secs(1);

/// Fails `errors` times before each connection it accepts.
struct Faulty {
    inner: MemoryListener,
    errors: usize,
    left: usize,
    kind: io::ErrorKind,
    failed: Arc<AtomicUsize>,
}

impl Listener for Faulty {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        if self.left > 0 {
            self.left -= 1;
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::new(self.kind, "as bad as it gets"));
        }
        let accepted = self.inner.accept().await;
        self.left = self.errors;
        accepted
    }

    fn address(&self) -> Address {
        self.inner.address()
    }
}

/// Out of descriptors for a while, or connections that are gone before they are taken: accepting
/// goes on afterwards.
#[tokio::test(start_paused = true)]
async fn accept_errors_end_nothing() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::ConnectionAborted] {
        let (connector, inner) = memory::pair("door");
        let failed = Arc::<AtomicUsize>::default();
        let faulty = Faulty {
            inner,
            errors: 20,
            left: 20,
            kind,
            failed: Arc::clone(&failed),
        };
        let server = plain().listen(faulty).unwrap();
        let handle = server.handle();
        let serving = tokio::spawn(server.serve());
        for round in 1..=3 {
            let channel = Channel::builder("memory:door")
                .insecure()
                .connector(connector.clone());
            let echo = EchoClient::new(channel.build().unwrap());
            echo.once(note("x")).wait_for_ready(true).await.unwrap();
            assert_eq!(handle.stats().connections_accepted, round);
        }
        assert!(handle.stats().accept_errors >= 60);
        assert!(handle.stats().accept_errors <= failed.load(Ordering::SeqCst) as u64);
        until(&handle, "no connection is live", |stats| {
            stats.live_connections == 0
        })
        .await;
        handle.graceful_stop(PATIENCE).await;
        serving.await.unwrap().unwrap();
    }
}

/// Sockets that are reset the moment they are made, and junk, do not hurt a good client.
#[tokio::test]
async fn connections_that_come_to_nothing_hurt_nobody() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let address = world.address.to_string();
    for n in 0..300 {
        let mut socket = soon(TcpStream::connect(&address)).await.unwrap();
        match n % 3 {
            0 => socket.set_zero_linger().unwrap(),
            1 => {
                let junk =
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello, more or less";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, junk).await;
            }
            _ => {}
        }
        drop(socket);
        if n % 50 == 0 {
            soon(echo.once(note("x"))).await.unwrap();
        }
    }
    soon(echo.once(note("x"))).await.unwrap();
    world
        .until("only the good client is left", |stats| {
            stats.live_connections == 1
        })
        .await;
    assert_eq!(world.stats().handshakes_failed, 300, "{:?}", world.stats());
    drop(echo);
    world.end().await;
}

/// One more than allowed is refused without hurting the others; when there is room again it is
/// let in.
#[tokio::test]
async fn the_connection_after_the_last_is_refused() {
    let world = World::tcp(plain().max_connections(2)).await;
    let address = world.address.to_string();
    let connect = || EchoClient::new(Channel::insecure(&address).unwrap());
    let (first, second, third) = (connect(), connect(), connect());
    soon(first.once(note("x"))).await.unwrap();
    soon(second.once(note("x"))).await.unwrap();
    let refused = soon(third.once(note("x"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    soon(first.once(note("x"))).await.unwrap();
    let stats = world.stats();
    assert_eq!(
        (stats.live_connections, stats.connections_refused),
        (2, 1),
        "{stats:?}"
    );
    drop(second);
    world
        .until("there is room", |stats| stats.live_connections == 1)
        .await;
    let waited = third
        .once(note("y"))
        .wait_for_ready(true)
        .timeout(Duration::from_secs(8));
    assert_eq!(soon(waited).await.unwrap().text, "y");
    drop((first, third));
    world.end().await;
}

/// Several listeners of different kinds serve the same services.
#[tokio::test]
async fn one_server_serves_several_listeners() {
    let (connector, listener) = memory::pair("inside");
    let server = plain()
        .listener(listener)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let (handle, outside) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let inside = Channel::builder("memory:inside")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    for channel in [inside, Channel::insecure(outside).unwrap()] {
        assert_eq!(
            soon(EchoClient::new(channel).once(note("x")))
                .await
                .unwrap()
                .text,
            "x"
        );
    }
    assert_eq!(handle.stats().connections_accepted, 2);
    until(&handle, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    soon(handle.graceful_stop(PATIENCE)).await;
    soon(serving).await.unwrap().unwrap();
}

/// What cannot be served is said before anything is.
#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let echo = || EchoServer::new(Scripted::default());
    let twice = Server::insecure()
        .add_service(echo())
        .add_service(echo())
        .bind("127.0.0.1:0");
    let twice = twice.await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert!(twice.message().contains("tests.echo.Echo"), "{twice}");

    let silent = Server::builder()
        .add_service(echo())
        .bind("127.0.0.1:0")
        .await
        .unwrap_err();
    assert!(silent.message().contains("insecure"), "{silent}");

    let world = World::tcp(plain()).await;
    let taken = plain().bind(world.address.to_string()).await.unwrap_err();
    assert_eq!(taken.code(), Code::Unavailable);
    assert!(taken.to_string().contains("in use"), "{taken}");
    assert!(
        taken.to_string().contains(&world.address.to_string()),
        "the address: {taken}"
    );
    world.end().await;
}

/// Dropping `serve` is a stop without grace: nothing lives on behind it.
#[tokio::test]
async fn dropping_serve_ends_everything() {
    let (teller, mut told) = crate::handlers::telling();
    let server = crate::handlers::scripted(Scripted::default().once(move |_, _| {
        let guard = teller.guard("once");
        teller.say("once");
        Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        })
    }));
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let echo = EchoClient::new(Channel::insecure(address).unwrap());
    let call = tokio::spawn(echo.once(note("x")).owned());
    soon(told.expect("once")).await;
    serving.abort();
    soon(told.expect("once dropped")).await;
    assert_eq!(
        soon(call).await.unwrap().unwrap_err().code(),
        Code::Unavailable
    );
    let live = |stats: &trunkline::server::ServerStats| {
        stats.live_connections + stats.live_rpcs + stats.live_listeners
    };
    until(&handle, "nothing is live", |stats| live(stats) == 0).await;
}

/// A thousand connections that never say a word: none holds up a good client, all are closed at
/// the handshake timeout, and each is counted.
#[tokio::test(start_paused = true)]
async fn silent_connections_are_closed_at_the_handshake_timeout() {
    let (connector, listener) = memory::pair("world");
    let mut http2 = ServerConfig::default();
    http2.handshake_timeout = 10 * SECOND;
    let server = plain().http2(http2).listen(listener).unwrap();
    let (handle, address) = (server.handle(), server.local_address().clone());
    let serving = tokio::spawn(server.serve());
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(connector.connect(&address).await.unwrap());
    }
    let channel = Channel::builder("memory:world")
        .insecure()
        .connector(connector.clone())
        .build()
        .unwrap();
    let echo = EchoClient::new(channel);
    let started = now();
    echo.once(note("x")).await.unwrap();
    assert!(now() - started < SECOND);
    assert_eq!(handle.stats().live_connections, 1_001);
    tokio::time::sleep(11 * SECOND).await;
    let stats = handle.stats();
    assert_eq!(
        (stats.live_connections, stats.handshakes_failed),
        (1, 1_000),
        "{stats:?}"
    );
    for mut socket in silent {
        let mut rest = Vec::new();
        let _ = soon(socket.read_to_end(&mut rest)).await;
    }
    assert_eq!(echo.once(note("y")).await.unwrap().text, "y");
    drop(echo);
    handle.graceful_stop(PATIENCE).await;
    serving.await.unwrap().unwrap();
}
