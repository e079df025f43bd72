//! OpenSSL on the other side: another reading of TLS and ALPN than the one we are built on.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tracing::Level;
use trunkline::client::BackoffConfig;
use trunkline::tls::{Identity, ServerTls};
use trunkline::transport::BoxIo;
use trunkline::{Channel, Code, Stage};
use trunkline_test_protos::echo::EchoClient;

use super::certificates::{Authority, Leaf, telling_server};
use crate::log::Log;
use crate::support::{Peer, Wire, data, headers, last_data, note, request, text, trailers, within};
use crate::world::{soon, until};

/// False where OpenSSL is missing, which is a failure where everything has to be there.
fn installed() -> bool {
    let version = std::process::Command::new("openssl")
        .arg("version")
        .output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let must = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!must, "openssl is missing");
    eprintln!("skipped: openssl is missing");
    false
}

/// Files that OpenSSL reads, gone with the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, authority: &Authority, leaf: &Leaf) -> Self {
        let folder = std::env::temp_dir().join(format!("trunkline-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), &authority.pem).unwrap();
        std::fs::write(folder.join("leaf.pem"), &leaf.chain).unwrap();
        std::fs::write(folder.join("leaf.key"), &leaf.key).unwrap();
        Self(folder)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// OpenSSL with these arguments, its pipes held by the test; it ends with the test.
fn openssl(files: &Files, arguments: &[&str]) -> Child {
    Command::new("openssl")
        .current_dir(&files.0)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What passes through OpenSSL, as a byte stream.
fn through(child: &mut Child) -> BoxIo {
    let out = child.stdout.take().unwrap();
    BoxIo::new(tokio::io::join(out, child.stdin.take().unwrap()))
}

/// `s_server` with these protocols, and a client of ours.
fn s_server(files: &Files, authority: &Authority, alpn: &[&str]) -> (Child, EchoClient) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut arguments = vec!["s_server", "-quiet", "-accept", &address];
    arguments.extend_from_slice(&["-cert", "leaf.pem", "-key", "leaf.key"]);
    arguments.extend_from_slice(alpn);
    let child = openssl(files, &arguments);
    let mut backoff = BackoffConfig::default();
    backoff.initial = Duration::from_millis(20);
    backoff.max = Duration::from_millis(50);
    let channel = Channel::builder(&address)
        .backoff(backoff)
        .credentials(authority.client());
    (child, EchoClient::new(channel.build().unwrap()))
}

/// What OpenSSL writes to its output.
fn made(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("openssl");
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn keys_are_read_in_every_form_that_openssl_writes() {
    if !installed() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("trunkline-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = Files(folder);
    let file = files.0.join("key.pem");
    let path = file.to_str().unwrap();
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for (kind, generate) in [("rsa", &["-algorithm", "RSA"][..]), ("ec", &curve[..])] {
        let pkcs8 = made(&[&["genpkey"], generate].concat());
        std::fs::write(&file, &pkcs8).unwrap();
        let request = [
            "req", "-x509", "-new", "-key", path, "-subj", "/CN=x", "-days", "1",
        ];
        let chain = made(&request);
        // PKCS#1 and SEC1.
        let traditional = match kind {
            "rsa" => made(&["rsa", "-in", path, "-traditional"]),
            _ => made(&["ec", "-in", path]),
        };
        assert_ne!(pkcs8, traditional);
        Identity::from_pem(&chain, &pkcs8).unwrap();
        Identity::from_pem(&chain, &traditional).unwrap();
    }
    let encrypted = made(&["genpkey", "-algorithm", "RSA", "-aes256", "-pass", "pass:x"]);
    let error = Identity::from_pem(&Authority::new("x").pem, encrypted).unwrap_err();
    assert!(
        error.to_string().contains("encrypted keys are not read"),
        "{error}"
    );
}

#[tokio::test]
async fn our_client_calls_through_s_server() {
    if !installed() {
        return;
    }
    let authority = Authority::new("ours");
    let files = Files::new("s_server", &authority, &authority.sign(&["127.0.0.1"]));
    let (mut child, echo) = s_server(&files, &authority, &["-alpn", "h2"]);
    let io = through(&mut child);
    let script = async {
        let mut peer = Peer::server(io, &[]).await;
        let asked = peer.expect_end(1).await;
        assert_eq!(asked.head.get(":scheme"), Some("https"));
        let head = Wire::from(headers(1).status(200).grpc());
        peer.send(head.and(data(1, note("one"))).and(trailers(1, 0)))
            .await;
        peer
    };
    let call = echo.once(text("hello")).wait_for_ready(true);
    let (answer, _peer) = within("the call", async {
        tokio::join!(call.into_future(), script)
    })
    .await;
    assert_eq!(answer.unwrap().text, "one");
}

#[tokio::test]
async fn our_client_refuses_an_s_server_without_h2() {
    if !installed() {
        return;
    }
    let authority = Authority::new("ours");
    let files = Files::new("s_server-alpn", &authority, &authority.sign(&["127.0.0.1"]));
    for alpn in [&[][..], &["-alpn", "http/1.1"]] {
        let (_child, echo) = s_server(&files, &authority, alpn);
        // Until it listens, connecting is refused by the system.
        let refused = within("a refusal by TLS", async {
            loop {
                let refused = echo.once(text("hello")).await.unwrap_err();
                if refused.stage() == Some(Stage::Tls) {
                    return refused;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
        assert!(
            refused.message().contains("did not negotiate h2"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn s_client_calls_our_server() {
    if !installed() {
        return;
    }
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["127.0.0.1", "localhost"]);
    let files = Files::new("s_client", &authority, &leaf);
    let (log, _listening) = Log::listen(Level::INFO);
    let tls = ServerTls::new(leaf.identity()).unwrap();
    let server = telling_server(tls).bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let to_us = ["s_client", "-connect", &address, "-CAfile", "ca.pem"];
    let strict = ["-verify_return_error", "-servername", "localhost"];

    let mut arguments = to_us.to_vec();
    arguments.extend_from_slice(&strict);
    arguments.extend_from_slice(&["-quiet", "-alpn", "h2"]);
    let mut child = openssl(&files, &arguments);
    let mut peer = Peer::client(through(&mut child)).await;
    let ask = Wire::from(request(1, "/tests.echo.Echo/Once"));
    peer.send(ask.and(last_data(1, note("hello")))).await;
    let answer = peer.expect_end(1).await;
    assert_eq!(answer.code(), Some(0));
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        body.contains("TLS 1.3, alpn \"h2\", name \"localhost\""),
        "{body}"
    );
    drop((peer, child));

    for (count, alpn, alert) in [
        (1, &[][..], ""),
        (2, &["-alpn", "http/1.1"], "alert number 120"),
    ] {
        let mut arguments = to_us.to_vec();
        arguments.extend_from_slice(alpn);
        let mut child = openssl(&files, &arguments);
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        soon(stderr.read_to_string(&mut said)).await.unwrap();
        assert!(said.contains(alert), "{said}");
        until(&handle, "it is counted", |stats| {
            stats.handshakes_failed == count
        })
        .await;
    }
    log.line(&[
        "TLS handshake failed",
        "the client did not negotiate h2",
        "assume_http2",
    ]);
    log.line(&["TLS handshake failed", "it speaks other protocols only"]);
    soon(handle.graceful_stop(Duration::from_secs(2))).await;
    soon(serving).await.unwrap().unwrap();
}
