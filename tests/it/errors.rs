//! The text of an error alone says which method, which address, at which stage and why; its origin
//! and `is_unprocessed` say the same to code.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use trunkline::transport::{Listener, memory};
use trunkline::{Channel, Code, Origin, Stage, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{note, number};
use crate::world::soon;

const ONCE: &str = "/tests.echo.Echo/Once";

/// A port where nothing listens: it was free a moment ago.
pub(crate) async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address")
}

fn echo_at(address: impl AsRef<str>) -> EchoClient {
    let channel = Channel::builder(address).insecure().no_proxy();
    EchoClient::new(channel.build().expect("a channel"))
}

#[track_caller]
pub(crate) fn says(status: &Status, words: &[&str]) {
    let text = status.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

/// Something went wrong on the way there: nothing was processed.
#[track_caller]
fn never_arrived(status: &Status, stage: Stage) {
    assert_eq!(
        (status.code(), status.origin()),
        (Code::Unavailable, Origin::Transport),
        "{status}"
    );
    assert_eq!(status.stage(), Some(stage), "{status}");
    assert!(status.is_unprocessed(), "{status:?}");
}

#[tokio::test]
async fn a_refused_port() {
    let address = closed_port().await;
    let echo = echo_at(address.to_string());
    let address = address.to_string();
    let refused = soon(echo.once(note("x"))).await.unwrap_err();
    never_arrived(&refused, Stage::Connect);
    says(
        &refused,
        &["UNAVAILABLE", ONCE, &address, "connect", "refused"],
    );
    assert!(
        std::error::Error::source(&refused).is_some(),
        "the cause is at hand: {refused:?}"
    );
    // Every kind of call says the same.
    says(
        &soon(echo.expand(note("x"))).await.unwrap_err(),
        &["Echo/Expand", &address, "refused"],
    );
    says(
        &soon(echo.collect()).await.unwrap_err(),
        &["Echo/Collect", &address, "refused"],
    );
    says(
        &soon(echo.collect().upload([])).await.unwrap_err(),
        &["Echo/Collect", "refused"],
    );
    says(
        &soon(echo.chat()).await.unwrap_err(),
        &["Echo/Chat", &address, "refused"],
    );
}

/// `.invalid` is reserved for names that do not exist.
#[tokio::test]
async fn a_name_that_does_not_exist() {
    let echo = echo_at("dns:///no-such-host.invalid:50051");
    let unknown = soon(echo.once(note("x"))).await.unwrap_err();
    never_arrived(&unknown, Stage::Resolve);
    says(
        &unknown,
        &["UNAVAILABLE", ONCE, "no-such-host.invalid", "resolve"],
    );
    assert!(std::error::Error::source(&unknown).is_some(), "{unknown:?}");
}

/// The connection is accepted and then nothing is said: the connect timeout names the stage.
#[tokio::test(start_paused = true)]
async fn a_peer_that_is_silent() {
    let (connector, mut listener) = memory::pair("mute");
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await);
        }
    });
    let channel = Channel::builder("memory:mute")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    let echo = EchoClient::new(channel);
    let silent = echo.once(note("x")).await.unwrap_err();
    never_arrived(&silent, Stage::Http2);
    says(
        &silent,
        &[
            "UNAVAILABLE",
            ONCE,
            "memory:mute",
            "http2",
            "SETTINGS",
            "20s",
        ],
    );

    // With a deadline before that, the deadline says what it was waiting for.
    let late = echo
        .once(note("x"))
        .wait_for_ready(true)
        .timeout(Duration::from_secs(5));
    let late = late.await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    says(&late, &[ONCE, "5s", "memory:mute"]);
    accepting.abort();
}

/// Something that answers, but not in HTTP/2.
#[tokio::test]
async fn a_peer_that_speaks_another_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let speaking = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let greeting = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nwhat?";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, greeting).await;
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
    });
    let foreign = soon(echo_at(address.to_string()).once(note("x")))
        .await
        .unwrap_err();
    never_arrived(&foreign, Stage::Http2);
    says(
        &foreign,
        &["UNAVAILABLE", ONCE, &address.to_string(), "http2"],
    );
    speaking.abort();
}

/// The server takes the call, and then its process is gone: the call may have been processed.
#[tokio::test]
async fn a_connection_that_is_reset_in_the_middle_of_a_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            // Dropping the socket resets the connection.
            stream.set_zero_linger().unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            drop(connection.accept().await);
        }
    });
    let echo = echo_at(address.to_string());
    let reset = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(
        (reset.code(), reset.origin()),
        (Code::Unavailable, Origin::Transport),
        "{reset}"
    );
    assert!(!reset.is_unprocessed(), "a server has seen it: {reset:?}");
    says(
        &reset,
        &["UNAVAILABLE", ONCE, &address.to_string(), "reset"],
    );

    let (sender, mut receiver) = soon(echo.chat()).await.unwrap();
    let reset = soon(receiver.recv()).await.unwrap_err();
    assert_eq!(reset.code(), Code::Unavailable, "{reset}");
    says(
        &reset,
        &["/tests.echo.Echo/Chat", &address.to_string(), "reset"],
    );
    soon(serving).await.unwrap();
    drop(sender);
}

/// A `?` on a channel that cannot be built reads well too.
#[test]
fn a_target_that_is_none() {
    for (target, fault) in [
        ("", "empty"),
        ("host:port", "port"),
        ("http://host:1", "http"),
        ("ftp://host", "ftp"),
        ("[::1", "bracket"),
        ("host:99999", "99999"),
    ] {
        let error = Channel::insecure(target).unwrap_err().to_string();
        assert!(
            error.contains(fault) && error.contains(target),
            "{target:?}: {error}"
        );
    }
}

/// Errors are errors: boxed, shown with their causes, sent between tasks.
#[tokio::test]
async fn an_error_travels_as_any_other() {
    let address = closed_port().await;
    let call = async || -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        Ok(echo_at(address.to_string()).once(number(1)).await?.number)
    };
    let error = soon(call()).await.unwrap_err();
    let status = error.downcast_ref::<Status>().unwrap();
    assert_eq!(status.code(), Code::Unavailable);
}
