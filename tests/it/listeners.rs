//! One server on several listeners, each with credentials of its own.

use trunkline::transport::credentials::Insecure;
use trunkline::transport::{Address, TcpListener, memory};
use trunkline::{Channel, Code, Server, Stage, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{note, plain};
use crate::tls::certificates::{Authority, telling_server};
use crate::world::{PATIENCE, soon, until};

/// Port 0 of the loopback interface.
async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn told_by(echo: &EchoClient) -> Result<String, Status> {
    let told = soon(echo.once(note("x"))).await?;
    Ok(told.into_message().text)
}

fn plaintext(address: &Address) -> EchoClient {
    EchoClient::new(Channel::insecure(address.to_string()).unwrap())
}

/// Plaintext is spoken where the code says so, and nowhere else; nor does it answer to TLS there.
#[tokio::test]
async fn plaintext_beside_tls_is_spoken_on_its_own_listener_only() {
    let authority = Authority::new("ours");
    let over_tls = |address: &Address| {
        let channel = Channel::builder(address.to_string()).credentials(authority.client());
        EchoClient::new(channel.build().unwrap())
    };
    let server = telling_server(authority.server())
        .listener_with(loopback().await, Insecure)
        .listener(loopback().await)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let [local, added, bound] = server.local_addresses() else {
        panic!("three listeners");
    };
    let (local, secured) = (local.clone(), [added.clone(), bound.clone()]);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    assert_eq!(told_by(&plaintext(&local)).await.unwrap(), "None");
    let refused = told_by(&over_tls(&local)).await.unwrap_err();
    assert_eq!(refused.stage(), Some(Stage::Tls), "{refused}");
    for address in &secured {
        let told = told_by(&over_tls(address)).await.unwrap();
        assert!(told.starts_with("PrivacyAndIntegrity, TLS 1.3"), "{told}");
        let refused = told_by(&plaintext(address)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    }
    until(&handle, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    soon(handle.graceful_stop(PATIENCE)).await;
    soon(serving).await.unwrap().unwrap();
    assert_eq!(handle.stats().live_listeners, 0);
}

/// The other way round: what the server says for all is not what this listener does.
#[tokio::test]
async fn tls_beside_plaintext_takes_no_plaintext() {
    let authority = Authority::new("ours");
    let (_, unused) = memory::pair("unused");
    let server = plain()
        .listener_with(loopback().await, authority.server())
        .listen(unused)
        .unwrap();
    let secured = server.local_addresses()[0].clone();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let refused = told_by(&plaintext(&secured)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let channel = Channel::builder(secured.to_string()).credentials(authority.client());
    let echo = EchoClient::new(channel.build().unwrap());
    assert_eq!(told_by(&echo).await.unwrap(), "x");
    drop(echo);
    soon(handle.graceful_stop(PATIENCE)).await;
    soon(serving).await.unwrap().unwrap();
}

/// Credentials of one listener are nobody else's: the last one still has to be told.
#[tokio::test]
async fn a_listeners_own_credentials_speak_for_it_alone() {
    let (_, own) = memory::pair("own");
    let (_, last) = memory::pair("last");
    let server = Server::builder().listener_with(own, Insecure).listen(last);
    let status = server.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("for memory:last"), "{status}");
}
