//! Certificates that change on disk under running calls.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use tracing::Level;
use trunkline::Channel;
use trunkline::tls::{ClientCertificates, ClientTls, Identity, Roots, ServerTls};
use trunkline::transport::BoxIo;
use trunkline::transport::credentials::{Handshake, TransportCredentials};
use trunkline::transport::memory::{self, MemoryConnector};
use trunkline_test_protos::echo::EchoClient;

use super::certificates::{Authority, Leaf, telling_server};
use crate::handlers::note;
use crate::log::Log;
use crate::world::soon;

/// Files of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trunkline-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    /// As those do it who renew certificates: one file after the other.
    fn write_leaf(&self, name: &str, leaf: &Leaf) {
        self.write(&format!("{name}.pem"), &leaf.chain);
        self.write(&format!("{name}.key"), &leaf.key);
    }

    fn identity(&self, name: &str) -> Identity {
        let chain = self.path(&format!("{name}.pem"));
        Identity::from_files(chain, self.path(&format!("{name}.key"))).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Remembers what each server showed.
#[derive(Clone)]
struct Watching {
    tls: ClientTls,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl TransportCredentials for Watching {
    fn client_handshake<'a>(&'a self, io: BoxIo, authority: &'a str) -> Handshake<'a> {
        Box::pin(async move {
            let secured = self.tls.client_handshake(io, authority).await?;
            let tls = secured.security.tls().unwrap();
            let first = tls.peer_certificates.first().unwrap();
            self.shown.lock().unwrap().clone_from(first);
            Ok(secured)
        })
    }

    fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
        self.tls.server_handshake(io)
    }
}

/// The certificates of server and client on a new connection.
async fn both_shown(connector: &MemoryConnector, watching: &Watching) -> (Vec<u8>, Vec<u8>) {
    let echo = client(connector, watching);
    let told = soon(echo.once(note("hello"))).await.unwrap();
    let servers = watching.shown.lock().unwrap().clone();
    (servers, told.data.clone())
}

fn client(connector: &MemoryConnector, credentials: &Watching) -> EchoClient {
    let channel = Channel::builder("memory:server")
        .connector(connector.clone())
        .credentials(credentials.clone());
    EchoClient::new(channel.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn new_connections_use_new_certificates_and_no_call_fails() {
    let (log, _listening) = Log::listen(Level::INFO);
    let authority = Authority::new("ours");
    let folder = Folder::new("reload");
    let old = [authority.sign(&["server"]), authority.sign(&["client"])];
    let new = [authority.sign(&["server"]), authority.sign(&["client"])];
    folder.write("ca.pem", &authority.pem);
    folder.write_leaf("server", &old[0]);
    folder.write_leaf("client", &old[1]);

    let roots = || Roots::from_file(folder.path("ca.pem")).unwrap();
    let server = ServerTls::builder(folder.identity("server"))
        .client_certificates(ClientCertificates::Required(roots()))
        .build()
        .unwrap();
    let tls = ClientTls::builder()
        .roots(roots())
        .identity(folder.identity("client"))
        .build()
        .unwrap();
    let (connector, listener) = memory::pair("server");
    let server = telling_server(server).listen(listener).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let watching = Watching {
        tls,
        shown: Arc::default(),
    };

    // A hundred calls per second on one connection, while others come and go.
    let steady = client(&connector, &watching);
    let calls = tokio::spawn(async move {
        for _ in 0..600 {
            let told = steady.once(note("hello")).await.expect("no call fails");
            assert!(told.text.contains("TLS"));
            sleep(Duration::from_millis(10)).await;
        }
    });
    let shown = |leaves: &[Leaf; 2]| (leaves[0].der.clone(), leaves[1].der.clone());
    assert_eq!(both_shown(&connector, &watching).await, shown(&old));

    folder.write_leaf("server", &new[0]);
    folder.write_leaf("client", &new[1]);
    for _ in 0..20 {
        sleep(Duration::from_millis(90)).await;
        both_shown(&connector, &watching).await;
    }
    assert_eq!(both_shown(&connector, &watching).await, shown(&new));
    log.line(&["INFO", "certificates reloaded", "server.pem"]);

    // What cannot be used changes nothing: the key of another certificate, then noise.
    folder.write("server.key", &old[0].key);
    folder.write("client.pem", "-----BEGIN CERTIFICATE-----\nnoise");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(both_shown(&connector, &watching).await, shown(&new));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(both_shown(&connector, &watching).await, shown(&new));
    log.line(&[
        "WARN",
        "the old ones stay in use",
        "server.key: the private key does not belong",
    ]);
    log.line(&["WARN", "the old ones stay in use", "client.pem: "]);
    assert_eq!(log.count("the old ones stay in use"), 2, "told once each");

    // Back to what works.
    folder.write_leaf("server", &old[0]);
    folder.write_leaf("client", &old[1]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(both_shown(&connector, &watching).await, shown(&old));

    soon(calls).await.expect("no call fails");
    soon(handle.graceful_stop(Duration::from_secs(1))).await;
    soon(serving).await.unwrap().unwrap();
    assert_eq!(handle.stats().handshakes_failed, 0);
}

#[tokio::test(start_paused = true)]
async fn roots_are_followed_too_and_their_end_ends_resumption() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let folder = Folder::new("roots");
    folder.write("clients.pem", &ours.pem);
    let required =
        ClientCertificates::Required(Roots::from_file(folder.path("clients.pem")).unwrap());
    let server =
        ServerTls::builder(ours.sign(&["server"]).identity()).client_certificates(required);
    let (connector, listener) = memory::pair("server");
    let server = telling_server(server.build().unwrap())
        .listen(listener)
        .unwrap();
    tokio::spawn(server.serve());
    let member = ClientTls::builder()
        .roots(ours.roots())
        .identity(ours.sign(&["member"]).identity());
    let watching = Watching {
        tls: member.build().unwrap(),
        shown: Arc::default(),
    };
    let echo = client(&connector, &watching);
    soon(echo.once(note("hello"))).await.unwrap();
    let echo = client(&connector, &watching);
    let told = soon(echo.once(note("hello"))).await.unwrap();
    assert!(told.text.ends_with("resumed true"), "{}", told.text);

    folder.write("clients.pem", &theirs.pem);
    sleep(Duration::from_secs(2)).await;
    let echo = client(&connector, &watching);
    let error = soon(echo.once(note("hello"))).await.unwrap_err();
    assert!(
        error.message().contains("refused the certificate"),
        "{error}"
    );
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new("files");
    let missing = folder.path("missing.pem");
    let error = Roots::from_file(&missing).unwrap_err().to_string();
    assert!(error.contains("missing.pem: it cannot be read"), "{error}");
    folder.write("empty.pem", "no certificate here");
    let error = Roots::from_file(folder.path("empty.pem")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("empty.pem: there is no certificate")
    );
    let huge = "x".repeat(1024 * 1024 + 1);
    folder.write("huge.pem", &huge);
    let error = Roots::from_file(folder.path("huge.pem")).unwrap_err();
    assert!(
        error.to_string().contains("larger than 1048576 bytes"),
        "{error}"
    );
}
