//! Calls over Unix sockets, by path and by abstract name.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use trunkline::transport::{Address, BoxIo, Connector, UnixConnector, memory};
use trunkline::{Channel, Code, Server};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, plain, scripted, telling};
use crate::world::{PATIENCE, soon, until};

/// A folder of the test's own, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves, calls once through the target that the server's address is, and stops.
async fn one_call(server: Server) -> String {
    let target = server.local_address().to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let echo = EchoClient::new(Channel::insecure(target).unwrap());
    let reply = soon(echo.once(note("x"))).await.unwrap();
    drop(echo);
    until(&handle, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    soon(handle.graceful_stop(PATIENCE)).await;
    soon(serving).await.unwrap().unwrap();
    reply.into_message().text
}

/// A path round-trips: the address that the server shows is a target that reaches it. Its client
/// is known by user and process, and the file is gone afterwards.
#[tokio::test]
async fn a_call_over_a_path() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let (tell, mut told) = telling();
    let service = Scripted::default().once(move |cx, request| {
        let peer = cx.peer().unix_credentials().unwrap();
        tell.say(format!("pid {:?}", peer.pid));
        Box::pin(async { Ok(request.into()) })
    });
    let server = scripted(service).bind_unix(&path).await.unwrap();
    assert_eq!(*server.local_address(), Address::unix(&path).unwrap());
    assert_eq!(one_call(server).await, "x");
    if cfg!(target_os = "linux") {
        let ours = i32::try_from(std::process::id()).unwrap();
        told.expect(&format!("pid {:?}", Some(ours))).await;
    }
    assert!(!path.exists());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_call_over_an_abstract_name() {
    let name = format!("trunkline-it-{}", std::process::id());
    let server = plain().bind_unix_abstract(&name).unwrap();
    let again = plain().bind_unix_abstract(&name).unwrap_err().to_string();
    assert!(again.contains(&format!("unix-abstract:{name}")), "{again}");
    assert_eq!(
        server.local_address().to_string(),
        format!("unix-abstract:{name}")
    );
    assert_eq!(one_call(server).await, "x");
}

/// TCP, Unix and memory on one server: all serve, and one drain closes all.
#[tokio::test]
async fn listeners_of_every_kind_serve_and_drain_together() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let (connector, listener) = memory::pair("inside");
    let server = plain()
        .listener(listener)
        .listener(
            trunkline::transport::TcpListener::bind("127.0.0.1:0")
                .await
                .unwrap(),
        )
        .bind_unix(&path)
        .await
        .unwrap();
    let handle = server.handle();
    let targets: Vec<_> = server
        .local_addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(targets.len(), 3);
    let serving = tokio::spawn(server.serve());
    let stubs: Vec<_> = targets
        .iter()
        .map(|target| {
            let channel = Channel::builder(target).insecure();
            let channel = if target.starts_with("memory:") {
                channel.connector(connector.clone())
            } else {
                channel
            };
            EchoClient::new(channel.build().unwrap())
        })
        .collect();
    for stub in &stubs {
        assert_eq!(soon(stub.once(note("x"))).await.unwrap().text, "x");
    }
    assert_eq!(handle.stats().live_listeners, 3);
    assert_eq!(handle.stats().live_connections, 3);
    // The connections are idle but open: the drain closes them too.
    let report = soon(handle.graceful_stop(PATIENCE)).await;
    assert_eq!(report.unfinished, 0);
    soon(serving).await.unwrap().unwrap();
    let stats = handle.stats();
    assert_eq!((stats.live_listeners, stats.live_connections), (0, 0));
    assert!(!path.exists());
    for stub in &stubs {
        let gone = soon(stub.once(note("x"))).await.unwrap_err();
        assert_eq!(gone.code(), Code::Unavailable, "{gone}");
    }
}

/// A connector of one's own composes with the ones that exist: here it sends a name elsewhere.
#[tokio::test]
async fn a_connector_of_ones_own_may_use_a_unix_socket() {
    struct Sidecar(Address, UnixConnector);
    impl Connector for Sidecar {
        async fn connect(&self, _to: &Address) -> std::io::Result<BoxIo> {
            self.1.connect(&self.0).await
        }
    }
    let folder = Folder::new();
    let path = folder.path("sidecar.sock");
    let (tell, mut told) = telling();
    let service = Scripted::default().once(move |_, request| {
        tell.say("served");
        Box::pin(async { Ok(request.into()) })
    });
    let server = scripted(service).bind_unix(&path).await.unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let sidecar = Sidecar(Address::unix(&path).unwrap(), UnixConnector::default());
    let channel = Channel::builder("10.0.0.1:50051")
        .insecure()
        .connector(sidecar);
    let echo = EchoClient::new(channel.build().unwrap());
    assert_eq!(soon(echo.once(note("x"))).await.unwrap().text, "x");
    told.expect("served").await;
    drop(echo);
    soon(handle.graceful_stop(Duration::from_secs(5))).await;
    soon(serving).await.unwrap().unwrap();
}

/// What cannot be listened on is named, and what cannot be reached too.
#[tokio::test]
async fn errors_name_the_socket() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let target = format!("unix:{}", path.display());
    let nobody = EchoClient::new(Channel::insecure(&target).unwrap());
    let failed = soon(nobody.once(note("x"))).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(failed.to_string().contains(&target), "{failed}");

    let _first = plain().bind_unix(&path).await.unwrap();
    let second = plain().bind_unix(&path).await.unwrap_err();
    assert_eq!(second.code(), Code::Unavailable);
    assert!(second.message().contains(&target), "{second}");
    assert!(second.message().contains("somebody listens on it already"));
    let long = plain().bind_unix("x".repeat(108)).await.unwrap_err();
    assert!(long.message().contains("108 bytes long"), "{long}");
}

/// A path is no authority: `localhost` is what a server gets to see.
#[tokio::test]
async fn the_authority_of_a_unix_socket_is_localhost() {
    use crate::support::{Peer, within};
    use trunkline::transport::{Listener, UnixListener};
    let folder = Folder::new();
    let path = folder.path("raw.sock");
    let mut listener = UnixListener::bind(&path).await.unwrap();
    let echo = EchoClient::new(Channel::insecure(format!("unix:{}", path.display())).unwrap());
    let call = tokio::spawn(async move { echo.once(note("x")).await });
    let (io, _) = within("a connection", listener.accept()).await.unwrap();
    let mut peer = Peer::server(io, &[]).await;
    let head = peer.expect_headers(1).await;
    assert_eq!(head.get(":authority"), Some("localhost"));
    call.abort();
}
