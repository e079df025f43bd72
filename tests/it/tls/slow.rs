//! Peers that are slow, mute or mad in a TLS handshake: nobody else notices.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tracing::Level;
use trunkline::client::BackoffConfig;
use trunkline::tls::ServerTls;
use trunkline::transport::memory::{self, MemoryConnector};
use trunkline::transport::{Address, BoxIo, Connector, Listener};
use trunkline::{Channel, Code, Stage};
use trunkline_test_protos::echo::EchoClient;

use super::certificates::{Authority, telling_server};
use crate::handlers::note;
use crate::log::Log;
use crate::world::{PATIENCE, soaking, soon, until};

const SECOND: Duration = Duration::from_secs(1);

/// How a TLS client begins: a record of 512 bytes, of which most never come.
const HALF_A_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

async fn connect(connector: &MemoryConnector) -> BoxIo {
    let address = Address::Memory("server".into());
    soon(connector.connect(&address)).await.unwrap()
}

fn client(connector: &MemoryConnector, authority: &Authority) -> EchoClient {
    let channel = Channel::builder("memory:server")
        .connector(connector.clone())
        .credentials(authority.client());
    EchoClient::new(channel.build().unwrap())
}

fn server_tls(authority: &Authority) -> ServerTls {
    ServerTls::new(authority.sign(&["server"]).identity()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn slow_handshakes_delay_nobody_and_end_at_the_limit() {
    let (log, _listening) = Log::listen(Level::DEBUG);
    let authority = Authority::new("ours");
    let (connector, listener) = memory::pair("server");
    let server = telling_server(server_tls(&authority))
        .listen(listener)
        .unwrap();
    let handle = server.handle();
    tokio::spawn(server.serve());
    let each = if soaking() { 400 } else { 40 };
    let began = Instant::now();
    let mut mute = Vec::new();
    let mut dripping = Vec::new();
    for _ in 0..each {
        mute.push(connect(&connector).await);
        let mut half = connect(&connector).await;
        half.write_all(HALF_A_HELLO).await.unwrap();
        mute.push(half);
        let mut drip = connect(&connector).await;
        dripping.push(tokio::spawn(async move {
            for byte in HALF_A_HELLO.iter().chain([0; 100].iter()) {
                if drip.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(SECOND).await;
            }
        }));
    }
    until(&handle, "all are accepted", |stats| {
        stats.live_connections == 3 * each
    })
    .await;
    soon(client(&connector, &authority).once(note("hello")))
        .await
        .unwrap();
    assert!(
        began.elapsed() < SECOND,
        "paused time stands still unless someone waits"
    );

    sleep(9 * SECOND).await;
    assert_eq!(handle.stats().handshakes_failed, 0);
    sleep(2 * SECOND).await;
    until(&handle, "all are closed", |stats| {
        stats.handshakes_failed == 3 * each
    })
    .await;
    for io in &mut mute {
        let mut rest = Vec::new();
        soon(io.read_to_end(&mut rest)).await.unwrap();
    }
    log.line(&["no handshake in time", "TLS", "10s"]);
    soon(client(&connector, &authority).once(note("hello")))
        .await
        .unwrap();
    for drip in dripping {
        drip.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_handshakes_and_calls_alike() {
    let authority = Authority::new("ours");
    let (connector, listener) = memory::pair("server");
    let server = telling_server(server_tls(&authority))
        .listen(listener)
        .unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let mute = connect(&connector).await;
    let mut half = connect(&connector).await;
    half.write_all(HALF_A_HELLO).await.unwrap();
    let echo = client(&connector, &authority);
    soon(echo.once(note("hello"))).await.unwrap();
    until(&handle, "all are accepted", |stats| {
        stats.live_connections == 3
    })
    .await;

    let began = Instant::now();
    let report = handle.graceful_stop(2 * SECOND).await;
    assert!(began.elapsed() < Duration::from_millis(2_200));
    assert_eq!(report.unfinished, 0, "{report:?}");
    soon(serving).await.unwrap().unwrap();
    assert_eq!(handle.stats().live_connections, 0);
    drop((mute, half));
}

#[tokio::test]
async fn junk_instead_of_hellos_is_counted_and_survived() {
    let authority = Authority::new("ours");
    let server = telling_server(authority.server());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let count = if soaking() { 10_000 } else { 200 };
    for number in 0..count {
        let mut io = soon(tokio::net::TcpStream::connect(&address))
            .await
            .unwrap();
        match number % 4 {
            // Gone at once, by RST.
            0 => io.set_zero_linger().unwrap(),
            1 => io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap(),
            2 => io.write_all(&[0x16, 3, 1, 0xff, 0xff]).await.unwrap(),
            _ => io.write_all(HALF_A_HELLO).await.unwrap(),
        }
    }
    let good = Channel::builder(&address).credentials(authority.client());
    let echo = EchoClient::new(good.build().unwrap());
    soon(echo.once(note("hello"))).await.unwrap();
    // An RST may come before the connection is accepted, and is an error of the listener then.
    until(&handle, "all are counted", |stats| {
        stats.handshakes_failed + stats.accept_errors == count
    })
    .await;
    drop(echo);
    assert_eq!(soon(handle.graceful_stop(PATIENCE)).await.unfinished, 0);
    soon(serving).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_mute_before_or_after_tls_is_bounded_and_named() {
    let authority = Authority::new("ours");
    let (connector, mut listener) = memory::pair("server");
    let mut backoff = BackoffConfig::default();
    backoff.initial = SECOND;
    backoff.max = SECOND;
    let channel = Channel::builder("memory:server")
        .connector(connector)
        .backoff(backoff)
        .credentials(authority.client());
    let echo = EchoClient::new(channel.build().unwrap());

    // Accepts, and says nothing: the call's own deadline, then the channel's bound.
    let accepting = tokio::spawn(async move {
        let io = listener.accept().await.unwrap();
        (listener, io)
    });
    let call = echo
        .once(note("hello"))
        .timeout(3 * SECOND)
        .wait_for_ready(true);
    let late = timeout(4 * SECOND, call).await.unwrap().unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    assert!(late.message().contains("in the TLS handshake"), "{late}");
    let began = Instant::now();
    let mute = echo.once(note("hello")).await.unwrap_err();
    assert!(began.elapsed() <= 20 * SECOND);
    assert_eq!(
        (mute.code(), mute.stage()),
        (Code::Unavailable, Some(Stage::Tls)),
        "{mute}"
    );
    assert!(
        mute.message()
            .contains("did not finish the TLS handshake within 20s"),
        "{mute}"
    );
    let (mut listener, _mute) = soon(accepting).await.unwrap();

    // Finishes TLS, and sends no SETTINGS.
    let config = super::certificates::raw_server_config(&authority.sign(&["server"]), &[b"h2"]);
    let half = tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(config)
            .accept(io)
            .await
            .unwrap();
        (listener, tls)
    });
    // A call that does not wait gets what the last attempt came to.
    sleep(21 * SECOND).await;
    let mute = echo.once(note("hello")).await.unwrap_err();
    assert_eq!(
        (mute.code(), mute.stage()),
        (Code::Unavailable, Some(Stage::Http2)),
        "{mute}"
    );
    assert!(
        mute.message().contains("no HTTP/2 SETTINGS within 20s"),
        "{mute}"
    );
    let (listener, _mute) = soon(half).await.unwrap();

    // And then there is a server.
    let server = telling_server(server_tls(&authority))
        .listen(listener)
        .unwrap();
    tokio::spawn(server.serve());
    let call = echo.once(note("hello")).wait_for_ready(true);
    timeout(5 * SECOND, call).await.unwrap().unwrap();
}
