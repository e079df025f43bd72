//! Calls through an HTTP proxy that the test plays.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use trunkline::client::{ChannelBuilder, ChannelError};
use trunkline::tls::{ClientTls, ServerTls};
use trunkline::transport::{BoxIo, Proxy};
use trunkline::{Channel, Code, Origin, Stage, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{note, plain};
use crate::support::{self, Peer, Wire, data, headers, trailers};
use crate::tls::certificates::{Authority, raw_server_config, telling_server};
use crate::world::{World, soon};

/// What the proxy does with a CONNECT.
#[derive(Clone)]
enum Answer {
    /// Opens the tunnel, to this server whatever name it was told.
    Tunnel(SocketAddr),
    Says(&'static [u8]),
    Nothing,
}

/// A proxy, and the heads of the requests that it got.
struct Corporate {
    address: SocketAddr,
    heads: mpsc::UnboundedReceiver<String>,
    _tasks: JoinSet<()>,
}

impl Corporate {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, heads) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((io, _)) = listener.accept().await {
                connections.spawn(serve(io, answer.clone(), tell.clone()));
            }
        });
        Self {
            address,
            heads,
            _tasks: tasks,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn proxy(&self) -> Proxy {
        Proxy::new(&self.url()).unwrap()
    }
}

async fn serve(mut io: TcpStream, answer: Answer, tell: mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_closed) => return,
        }
    }
    let _ = tell.send(String::from_utf8(head).unwrap());
    match answer {
        Answer::Tunnel(server) => {
            let mut upstream = TcpStream::connect(server).await.unwrap();
            let established = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";
            io.write_all(established).await.unwrap();
            let _ = copy_bidirectional(&mut io, &mut upstream).await;
        }
        Answer::Says(text) => {
            let _ = io.write_all(text).await;
        }
        Answer::Nothing => std::future::pending().await,
    }
}

fn address(world: &World) -> SocketAddr {
    world.address.to_string().parse().unwrap()
}

/// One call that must fail, over a channel that goes through a proxy with this answer.
async fn failure(
    answer: Answer,
    options: impl FnOnce(ChannelBuilder, Proxy) -> ChannelBuilder,
) -> (Status, String) {
    let proxy = Corporate::start(answer).await;
    let channel = Channel::builder("greeter.invalid:50051").insecure();
    let channel = options(channel, proxy.proxy()).build().unwrap();
    let status = soon(EchoClient::new(channel).once(note("x"))).await;
    let status = status.expect_err("the proxy does not let it through");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.stage(), Some(Stage::Connect), "{status}");
    assert_eq!(status.origin(), Origin::Transport);
    assert!(status.is_unprocessed());
    let text = status.message().to_owned();
    assert!(text.contains(&proxy.url()), "{text}");
    assert!(text.contains("greeter.invalid:50051"), "{text}");
    (status, text)
}

/// The name cannot be resolved here: the proxy does it. It is told who asks.
#[tokio::test]
async fn the_proxy_gets_the_name_and_the_credentials() {
    let world = World::tcp(plain()).await;
    let mut proxy = Corporate::start(Answer::Tunnel(address(&world))).await;
    let channel = Channel::builder("dns:///greeter.invalid:50051")
        .insecure()
        .proxy(proxy.proxy().basic_auth("me", "secret"));
    let echo = EchoClient::new(channel.build().unwrap());
    assert_eq!(soon(echo.once(note("x"))).await.unwrap().text, "x");
    let head = soon(proxy.heads.recv()).await.unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("CONNECT greeter.invalid:50051 HTTP/1.1"));
    assert_eq!(lines.next(), Some("Host: greeter.invalid:50051"));
    assert!(
        head.contains("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{head}"
    );
    drop(echo);
    world.end().await;
}

/// The proxy sees TLS records only; the name that is verified is the target's.
#[tokio::test]
async fn tls_runs_end_to_end_through_the_tunnel() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["greeter.invalid"]);
    let tls = ServerTls::new(leaf.identity()).unwrap();
    let world = World::tcp_secured(telling_server(tls), |channel| {
        channel.credentials(authority.client())
    })
    .await;
    let proxy = Corporate::start(Answer::Tunnel(address(&world))).await;
    let to = |target: &str| {
        let channel = Channel::builder(target)
            .credentials(authority.client())
            .proxy(proxy.proxy());
        EchoClient::new(channel.build().unwrap())
    };
    let echo = to("greeter.invalid:50051");
    let told = soon(echo.once(note("x"))).await.unwrap();
    assert!(
        told.text.contains("name \"greeter.invalid\""),
        "{}",
        told.text
    );
    let wrong = to("other.invalid:50051");
    let refused = soon(wrong.once(note("x"))).await.unwrap_err();
    assert_eq!(refused.stage(), Some(Stage::Tls), "{refused}");
    drop((echo, wrong));
    world.end().await;
}

/// The proxy is told the target and nothing else. The authority is what the server has to prove and
/// what calls are sent to, inside of the tunnel; a name for TLS alone goes before it there.
#[tokio::test]
async fn an_overridden_authority_is_for_the_server_and_not_for_the_proxy() {
    let authority = Authority::new("ours");
    let leaf = authority.sign(&["api.example", "tls.example"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut proxy = Corporate::start(Answer::Tunnel(address)).await;
    let acceptor = TlsAcceptor::from(raw_server_config(&leaf, &[b"h2"]));
    let renamed = ClientTls::builder().roots(authority.roots());
    let renamed = renamed.server_name("tls.example").build().unwrap();
    for (tls, name) in [
        (authority.client(), "api.example"),
        (renamed, "tls.example"),
    ] {
        let channel = Channel::builder("edge.invalid:50051")
            .credentials(tls)
            .authority("api.example:8443")
            .proxy(proxy.proxy());
        let echo = EchoClient::new(channel.build().unwrap());
        let server = async {
            let (io, _) = listener.accept().await.unwrap();
            let io = acceptor.accept(io).await.unwrap();
            assert_eq!(io.get_ref().1.server_name(), Some(name));
            let mut peer = Peer::server(BoxIo::new(io), &[]).await;
            let asked = peer.expect_end(1).await;
            assert_eq!(asked.head.get(":authority"), Some("api.example:8443"));
            assert_eq!(asked.head.get(":scheme"), Some("https"));
            let head = Wire::from(headers(1).status(200).grpc());
            let answer = head.and(data(1, support::note("one"))).and(trailers(1, 0));
            peer.send(answer).await;
            peer
        };
        let call = echo.once(note("x")).into_future();
        let (answer, _peer) = soon(async { tokio::join!(call, server) }).await;
        assert_eq!(answer.unwrap().text, "one");
        let head = soon(proxy.heads.recv()).await.unwrap();
        assert!(head.starts_with("CONNECT edge.invalid:50051 "), "{head}");
        assert!(!head.contains(".example"), "{head}");
    }
}

/// What the target is called proves nothing where the authority is another.
#[tokio::test]
async fn a_certificate_for_the_target_is_refused_where_the_authority_is_another() {
    let authority = Authority::new("ours");
    let tls = ServerTls::new(authority.sign(&["edge.invalid"]).identity()).unwrap();
    let world = World::tcp_secured(telling_server(tls), |channel| {
        channel.credentials(authority.client())
    })
    .await;
    let proxy = Corporate::start(Answer::Tunnel(address(&world))).await;
    let channel = Channel::builder("edge.invalid:50051")
        .credentials(authority.client())
        .authority("api.example")
        .proxy(proxy.proxy());
    let echo = EchoClient::new(channel.build().unwrap());
    let refused = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(refused.stage(), Some(Stage::Tls), "{refused}");
    for said in [
        "edge.invalid:50051",
        "\"api.example\"",
        "it is for edge.invalid",
    ] {
        assert!(refused.message().contains(said), "{refused}");
    }
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn a_refusal_names_the_proxy_and_its_answer() {
    let unauthorized: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    let (_, text) = failure(Answer::Says(unauthorized), ChannelBuilder::proxy).await;
    let expected =
        "answered 407 Proxy Authentication Required: it wants credentials, and none are set";
    assert!(text.contains(expected), "{text}");

    let with =
        |channel: ChannelBuilder, proxy: Proxy| channel.proxy(proxy.basic_auth("me", "secret"));
    let (status, text) = failure(Answer::Says(unauthorized), with).await;
    assert!(text.contains("it does not take the credentials"), "{text}");
    assert!(!format!("{status:?} {status}").contains("secret"));

    let forbidden = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let (_, text) = failure(Answer::Says(forbidden), ChannelBuilder::proxy).await;
    assert!(text.contains("answered 403 Forbidden to CONNECT"), "{text}");

    let (_, text) = failure(Answer::Says(b"220 mail ESMTP\r\n"), ChannelBuilder::proxy).await;
    assert!(text.contains("did not answer in HTTP/1.1"), "{text}");

    let (_, text) = failure(Answer::Says(b""), ChannelBuilder::proxy).await;
    assert!(text.contains("closed the connection"), "{text}");
}

#[tokio::test]
async fn a_silent_proxy_is_bounded_and_named() {
    let (_, text) = failure(Answer::Nothing, |channel, proxy| {
        channel
            .proxy(proxy)
            .connect_timeout(Duration::from_millis(100))
    })
    .await;
    assert!(text.contains("no connection through the proxy"), "{text}");
    assert!(
        text.contains("within 100ms (the channel's connect_timeout)"),
        "{text}"
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let channel = Channel::builder("greeter.invalid:50051")
        .insecure()
        .proxy(Proxy::new("127.0.0.1:1").unwrap());
    let echo = EchoClient::new(channel.build().unwrap());
    let status = soon(echo.once(note("x"))).await.unwrap_err();
    let expected = "the proxy http://127.0.0.1:1 cannot be reached: 127.0.0.1:1: ";
    assert!(status.message().contains(expected), "{status}");
    assert!(
        status.message().to_lowercase().contains("refused"),
        "{status}"
    );
}

/// What the proxy is not for goes past it; an address is given to it as an address.
#[tokio::test]
async fn addresses_go_through_the_proxy_unless_they_are_exempt() {
    let world = World::tcp(plain()).await;
    let mut proxy = Corporate::start(Answer::Tunnel(address(&world))).await;
    let exempt = Channel::builder(world.address.to_string())
        .insecure()
        .proxy(proxy.proxy().bypass("127.0.0.0/8"));
    let echo = EchoClient::new(exempt.build().unwrap());
    soon(echo.once(note("x"))).await.unwrap();
    assert!(proxy.heads.try_recv().is_err());
    let carried = Channel::builder("192.0.2.1:5")
        .insecure()
        .proxy(proxy.proxy());
    let carried = EchoClient::new(carried.build().unwrap());
    soon(carried.once(note("x"))).await.unwrap();
    let head = soon(proxy.heads.recv()).await.unwrap();
    assert!(
        head.starts_with("CONNECT 192.0.2.1:5 HTTP/1.1\r\n"),
        "{head}"
    );
    drop((echo, carried));
    world.end().await;
}

#[test]
fn a_connector_and_a_proxy_exclude_each_other() {
    let (connector, _listener) = trunkline::transport::memory::pair("x");
    let both = Channel::builder("memory:x")
        .insecure()
        .connector(connector)
        .proxy(Proxy::new("proxy:1").unwrap());
    assert!(matches!(both.build(), Err(ChannelError::ProxyAndConnector)));
}

/// Set for the process that [`the_environment_decides_unless_the_code_does`] starts.
const CHILD: &str = "TRUNKLINE_TEST_PROXIED_SERVER";

/// The environment of a process is read when it starts: so this test starts itself again.
#[tokio::test]
async fn the_environment_decides_unless_the_code_does() {
    if std::env::var_os(CHILD).is_some() {
        return in_the_child().await;
    }
    let world = World::tcp(plain()).await;
    let mut proxy = Corporate::start(Answer::Tunnel(address(&world))).await;
    let program = std::env::current_exe().unwrap();
    let mut child = tokio::process::Command::new(program);
    child.args([
        "--exact",
        "proxy::the_environment_decides_unless_the_code_does",
    ]);
    child.env(CHILD, world.address.to_string());
    child.env("https_proxy", format!("http://me:secret@{}", proxy.address));
    child.env("no_proxy", "exempt.invalid");
    for other in ["grpc_proxy", "no_grpc_proxy"] {
        child.env_remove(other);
    }
    let output = soon(child.kill_on_drop(true).output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    let head = soon(proxy.heads.recv()).await.unwrap();
    assert!(head.starts_with("CONNECT greeter.invalid:50051 "), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic "), "{head}");
    assert!(
        proxy.heads.try_recv().is_err(),
        "one connection was carried"
    );
    world.end().await;
}

/// `https_proxy` and `no_proxy` are set here.
async fn in_the_child() {
    let call = |channel: ChannelBuilder| async {
        let echo = EchoClient::new(channel.insecure().build().unwrap());
        soon(echo.once(note("x"))).await
    };
    let server = std::env::var(CHILD).unwrap();
    // Through the proxy, which finds the server under any name.
    let carried = call(Channel::builder("greeter.invalid:50051")).await;
    assert_eq!(carried.unwrap().text, "x");
    // This machine never is.
    assert_eq!(call(Channel::builder(server)).await.unwrap().text, "x");
    let exempt = call(Channel::builder("exempt.invalid:50051")).await;
    assert_eq!(exempt.unwrap_err().stage(), Some(Stage::Resolve));
    let never = call(Channel::builder("greeter.invalid:50051").no_proxy()).await;
    assert_eq!(never.unwrap_err().stage(), Some(Stage::Resolve));
}
