//! What people get wrong about TLS, and what each of it is told.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tracing::Level;
use trunkline::client::BackoffConfig;
use trunkline::tls::{ClientTls, Roots, ServerTls};
use trunkline::transport::credentials::TlsVersion;
use trunkline::{Channel, Code, Stage, Status};
use trunkline_test_protos::echo::EchoClient;

use super::certificates::{Authority, echo_to, only_tls12, raw_server, secured};
use crate::handlers::{note, plain};
use crate::log::Log;
use crate::world::{World, soon, until};

/// The error of a call, which came soon, and at the stage of TLS.
async fn refused(echo: &EchoClient, stage: Stage) -> Status {
    let began = Instant::now();
    let error = soon(echo.once(note("hello"))).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert_eq!(error.stage(), Some(stage), "{error}");
    assert!(error.is_unprocessed(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{error}");
    error
}

fn says(error: &Status, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[tokio::test]
async fn plaintext_to_a_tls_port_is_told_that_tls_is_expected() {
    let authority = Authority::new("ours");
    let world = secured(authority.server(), authority.client()).await;
    let plain = EchoClient::new(Channel::insecure(world.address.to_string()).unwrap());
    let error = refused(&plain, Stage::Http2).await;
    says(
        &error,
        &["expects TLS", ".insecure()", &world.address.to_string()],
    );
    drop(plain);
    world.end().await;
}

#[tokio::test]
async fn tls_to_a_plaintext_port_is_told_that_it_speaks_none() {
    let world = World::tcp(plain()).await;
    let authority = Authority::new("ours");
    let echo = echo_to(&world, authority.client());
    let error = refused(&echo, Stage::Tls).await;
    says(
        &error,
        &["the server does not speak TLS", &world.address.to_string()],
    );
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn a_server_without_alpn_is_refused_and_the_opt_out_named() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["127.0.0.1"]);
    let (address, _serving) = raw_server(&leaf, &[]).await;
    let strict = Channel::builder(address.to_string()).credentials(authority.client());
    let echo = EchoClient::new(strict.build().unwrap());
    let error = refused(&echo, Stage::Tls).await;
    says(
        &error,
        &[
            "did not negotiate h2",
            "ClientTls::builder().assume_http2()",
        ],
    );

    let (address, _serving) = raw_server(&leaf, &[b"http/1.1"]).await;
    let strict = Channel::builder(address.to_string()).credentials(authority.client());
    let echo = EchoClient::new(strict.build().unwrap());
    let error = refused(&echo, Stage::Tls).await;
    says(&error, &["did not negotiate h2"]);
}

#[tokio::test]
async fn an_unknown_issuer_is_named_with_the_number_of_roots() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let world = secured(ours.server(), ours.client()).await;
    let two = Roots::from_pem(format!("{}{}", other.pem, Authority::new("third").pem)).unwrap();
    let tls = ClientTls::builder().roots(two).build().unwrap();
    let echo = echo_to(&world, tls);
    let error = refused(&echo, Stage::Tls).await;
    says(
        &error,
        &[
            "issuer of the server's certificate is unknown",
            "2 roots loaded (given)",
        ],
    );
    drop(echo);

    let web = echo_to(&world, ClientTls::new().unwrap());
    let error = refused(&web, Stage::Tls).await;
    says(&error, &["roots loaded (Mozilla's)"]);
    drop(web);
    until(&world.handle, "both are counted", |stats| {
        stats.handshakes_failed == 2
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_wrong_name_is_told_with_those_that_would_be_right() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["one.example", "*.two.example", "10.1.2.3"]);
    let tls = ServerTls::new(leaf.identity()).unwrap();
    let world = secured(tls, authority.client()).await;
    let error = refused(&world.echo(), Stage::Tls).await;
    says(
        &error,
        &[
            "not for the name \"127.0.0.1\"",
            "one.example, *.two.example, 10.1.2.3",
        ],
    );
    world.end().await;
}

#[tokio::test]
async fn certificates_out_of_their_time_are_told_so() {
    let authority = Authority::new("ours");
    for (from, to, text) in [
        (2000, 2001, "has expired"),
        (2090, 2099, "is not valid yet"),
    ] {
        let leaf = authority.sign_with(&["127.0.0.1"], |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let tls = ServerTls::new(leaf.identity()).unwrap();
        let world = secured(tls, authority.client()).await;
        let error = refused(&world.echo(), Stage::Tls).await;
        says(&error, &[text, "days"]);
        world.end().await;
    }
}

#[tokio::test]
async fn versions_that_do_not_meet_are_told_so() {
    let authority = Authority::new("ours");
    let identity = authority.sign(&["127.0.0.1"]).identity();
    let new_only = ServerTls::builder(identity).min_version(TlsVersion::V1_3);
    let world = secured(new_only.build().unwrap(), authority.client()).await;
    let old = echo_to(&world, only_tls12(&authority, None));
    let error = refused(&old, Stage::Tls).await;
    says(&error, &["no common version of TLS"]);
    drop(old);
    world.end().await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            // Takes the hello, so that closing is no reset.
            let _ = io.read(&mut [0; 4096]).await;
        }
    });
    let authority = Authority::new("ours");
    let mut backoff = BackoffConfig::default();
    backoff.initial = Duration::from_millis(1);
    let channel = Channel::builder(&address)
        .backoff(backoff)
        .credentials(authority.client());
    let echo = EchoClient::new(channel.build().unwrap());
    let error = refused(&echo, Stage::Tls).await;
    says(
        &error,
        &["closed the connection during the TLS handshake", &address],
    );

    let plain = EchoClient::new(Channel::insecure(&address).unwrap());
    let error = refused(&plain, Stage::Http2).await;
    says(&error, &["perhaps it expects TLS"]);
}

#[tokio::test]
async fn the_wrong_half_is_told_apart() {
    let authority = Authority::new("ours");
    let world = World::tcp_secured(
        super::certificates::telling_server(authority.server()),
        |c| c.credentials(authority.server()),
    )
    .await;
    let error = refused(&world.echo(), Stage::Tls).await;
    says(&error, &["ClientTls"]);
    world.end().await;
}

#[tokio::test]
async fn the_server_logs_peer_and_reason_and_counts() {
    let (log, _listening) = Log::listen(Level::INFO);
    let authority = Authority::new("ours");
    let world = secured(authority.server(), authority.client()).await;
    let mut raw = TcpStream::connect(world.address.to_string()).await.unwrap();
    let me = raw.local_addr().unwrap().to_string();
    raw.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    soon(raw.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said.first(), Some(&0x15), "an alert");
    drop(raw);
    until(&world.handle, "it is counted", |stats| {
        stats.handshakes_failed == 1
    })
    .await;
    log.line(&["TLS handshake failed", &me, "the client does not speak TLS"]);

    // A client without ALPN.
    let config = super::certificates::raw_client(&authority, &[]);
    let io = TcpStream::connect(world.address.to_string()).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let mut tls = tokio_rustls::TlsConnector::from(config)
        .connect(name, io)
        .await
        .unwrap();
    let mut rest = Vec::new();
    soon(tls.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty(), "closed in order, without a word of HTTP/2");
    drop(tls);
    until(&world.handle, "it is counted", |stats| {
        stats.handshakes_failed == 2
    })
    .await;
    log.line(&[
        "TLS handshake failed",
        "the client did not negotiate h2",
        "assume_http2",
    ]);

    // One that offers something else.
    let config = super::certificates::raw_client(&authority, &[b"http/1.1"]);
    let io = TcpStream::connect(world.address.to_string()).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let refused = tokio_rustls::TlsConnector::from(config)
        .connect(name, io)
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("NoApplicationProtocol")
    );
    until(&world.handle, "it is counted", |stats| {
        stats.handshakes_failed == 3
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_tls_client_of_a_plaintext_server_is_told_to_the_servers_log() {
    let (log, _listening) = Log::listen(Level::DEBUG);
    let world = World::tcp(plain()).await;
    let authority = Authority::new("ours");
    let echo = echo_to(&world, authority.client());
    refused(&echo, Stage::Tls).await;
    until(&world.handle, "it is counted", |stats| {
        stats.handshakes_failed == 1
    })
    .await;
    log.line(&["handshake failed", "speaks TLS, and this server plaintext"]);
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn whoever_assumes_http2_needs_no_alpn() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["127.0.0.1"]);
    // A proxy that ends TLS, knows no ALPN and passes bytes on.
    let world = World::tcp(plain()).await;
    let behind = world.address.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let acceptor = TlsAcceptor::from(super::certificates::raw_server_config(&leaf, &[]));
    let proxy = tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let mut tls = acceptor.accept(io).await.unwrap();
        let mut behind = TcpStream::connect(behind).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut tls, &mut behind).await;
    });
    let tls = ClientTls::builder()
        .roots(authority.roots())
        .assume_http2()
        .build()
        .unwrap();
    let channel = Channel::builder(&address).credentials(tls);
    let echo = EchoClient::new(channel.build().unwrap());
    assert_eq!(soon(echo.once(note("hello"))).await.unwrap().text, "hello");
    drop(echo);
    soon(proxy).await.unwrap();
    world.end().await;
}
