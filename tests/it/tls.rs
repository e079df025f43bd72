//! Calls over TLS: who is who, what both sides know, and what is said when it does not work.

pub(crate) mod certificates;
mod mistakes;
mod mutual;
mod openssl;
mod reload;
mod slow;

use trunkline::tls::{ClientTls, ServerTls};
use trunkline::transport::credentials::TlsVersion;
use trunkline::transport::memory;
use trunkline::{Channel, Response, Server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, note, number};
use crate::world::{World, soon};
use certificates::{Authority, echo_to, secured};

#[tokio::test]
async fn calls_of_all_kinds_go_over_tls() {
    let authority = Authority::new("ours");
    let world = secured(authority.server(), authority.client()).await;
    let told = soon(world.echo().once(note("hello"))).await.unwrap();
    assert_eq!(
        told.text,
        "PrivacyAndIntegrity, TLS 1.3, alpn \"h2\", name \"\", 0 certificates, resumed false"
    );
    let mut expanded = soon(world.echo().expand(number(1_000))).await.unwrap();
    let mut count = 0;
    while soon(expanded.recv()).await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 1_000);
    let echo = world.echo();
    let sum = echo.collect().upload((1..=100).map(number));
    assert_eq!(soon(sum).await.unwrap().number, 5_050);
    let (mut notes, mut heard) = soon(world.echo().chat()).await.unwrap();
    let large = crate::handlers::bytes(3_000_000);
    soon(notes.send(&large)).await.unwrap();
    notes.finish();
    assert_eq!(soon(heard.recv()).await.unwrap().unwrap(), large);
    assert!(soon(heard.recv()).await.unwrap().is_none());
    drop((heard, expanded, echo));
    world.end().await;
}

#[tokio::test]
async fn the_second_connection_resumes_the_session_of_the_first() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let authority = Authority::new("ours");
        let client = match version {
            TlsVersion::V1_2 => certificates::only_tls12(&authority, None),
            _ => authority.client(),
        };
        let world = secured(authority.server(), client.clone()).await;
        let first = soon(world.echo().once(note("hello"))).await.unwrap();
        assert!(first.text.contains(&version.to_string()), "{}", first.text);
        assert!(first.text.ends_with("resumed false"), "{}", first.text);
        let again = echo_to(&world, client);
        let second = soon(again.once(note("hello"))).await.unwrap();
        assert!(second.text.ends_with("resumed true"), "{}", second.text);
        drop(again);
        world.end().await;
    }
}

#[tokio::test]
async fn a_connector_of_ones_own_is_secured_too() {
    let authority = Authority::new("ours");
    let (connector, listener) = memory::pair("pipe");
    let leaf = authority.sign(&["pipe"]);
    let tls = ServerTls::new(leaf.identity()).unwrap();
    let server = certificates::telling_server(tls).listen(listener).unwrap();
    tokio::spawn(server.serve());
    let channel = Channel::builder("memory:pipe")
        .connector(connector)
        .credentials(authority.client());
    let echo = EchoClient::new(channel.build().unwrap());
    let told = soon(echo.once(note("hello"))).await.unwrap();
    assert!(told.text.contains("name \"pipe\""), "{}", told.text);
}

#[tokio::test]
async fn the_authority_is_what_is_asked_for_verified_and_said() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["svc.example"]);
    let tls = ServerTls::new(leaf.identity()).unwrap();
    // By address, with the name on top.
    let world = World::tcp_secured(certificates::telling_server(tls), |channel| {
        channel
            .credentials(authority.client())
            .authority("svc.example:4433")
    })
    .await;
    let told = soon(world.echo().once(note("hello"))).await.unwrap();
    assert!(told.text.contains("name \"svc.example\""), "{}", told.text);

    // The name of TLS alone.
    let renamed = ClientTls::builder()
        .roots(authority.roots())
        .server_name("svc.example")
        .build()
        .unwrap();
    let echo = echo_to(&world, renamed);
    let told = soon(echo.once(note("hello"))).await.unwrap();
    assert!(told.text.contains("name \"svc.example\""), "{}", told.text);
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn a_rustls_configuration_of_ones_own_may_be_used() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["127.0.0.1"]);
    let server = ServerTls::from_rustls(certificates::raw_server_config(&leaf, &[])).unwrap();
    let client = ClientTls::from_rustls(certificates::raw_client(&authority, &[])).unwrap();
    let world = secured(server, client).await;
    let told = soon(world.echo().once(note("hello"))).await.unwrap();
    assert!(told.text.contains("alpn \"h2\""), "{}", told.text);
    world.end().await;
}

#[tokio::test]
async fn user_code_may_bring_its_own_credentials() {
    use trunkline::transport::BoxIo;
    use trunkline::transport::credentials::{
        Handshake, Secured, Security, SecurityLevel, TransportCredentials,
    };

    #[derive(Clone)]
    struct Password(&'static [u8]);

    impl TransportCredentials for Password {
        fn client_handshake<'a>(&'a self, mut io: BoxIo, _: &'a str) -> Handshake<'a> {
            use tokio::io::AsyncWriteExt;
            Box::pin(async move {
                io.write_all(self.0).await.unwrap();
                io.flush().await.unwrap();
                Ok(Secured::new(io, Security::new(SecurityLevel::Integrity)))
            })
        }

        fn server_handshake(&self, mut io: BoxIo) -> Handshake<'_> {
            use tokio::io::AsyncReadExt;
            Box::pin(async move {
                let mut said = vec![0; self.0.len()];
                io.read_exact(&mut said).await.unwrap();
                match said == self.0 {
                    true => Ok(Secured::new(io, Security::new(SecurityLevel::Integrity))),
                    false => Err(trunkline::Status::permission_denied("wrong password")),
                }
            })
        }
    }

    let world = World::tcp_secured(
        certificates::telling_server(Password(b"sesame")),
        |channel| channel.credentials(Password(b"sesame")),
    )
    .await;
    let told = soon(world.echo().once(note("hello"))).await.unwrap();
    assert_eq!(told.text, "Integrity");

    let wrong = Channel::builder(world.address.to_string()).credentials(Password(b"barley"));
    let wrong = EchoClient::new(wrong.build().unwrap());
    let refused = soon(wrong.once(note("hello"))).await.unwrap_err();
    assert_eq!(refused.code(), trunkline::Code::Unavailable);
    assert_eq!(world.stats().handshakes_failed, 1);
    drop(wrong);
    world.end().await;
}

#[tokio::test]
async fn a_plaintext_peer_is_known_as_such() {
    let echo = Scripted::default().once(|cx, _| {
        let told = certificates::describe(cx.peer().security());
        Box::pin(async move { Ok(Response::from(note(&told))) })
    });
    let world = World::tcp(Server::insecure().add_service(EchoServer::new(echo))).await;
    let told = soon(world.echo().once(note("hello"))).await.unwrap();
    assert_eq!(told.text, "None");
    world.end().await;
}
