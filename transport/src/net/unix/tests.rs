use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn talk(listener: &mut UnixListener) -> Address {
    let to = Listener::address(listener);
    let connector = UnixConnector::default();
    let (client, server) = tokio::join!(connector.connect(&to), listener.accept());
    let (mut client, (mut server, from)) = (client.unwrap(), server.unwrap());
    client.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    from
}

#[tokio::test]
async fn a_path_is_bound_and_reached_and_its_file_removed_at_the_end() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let mut listener = UnixListener::bind(&path).await.unwrap();
    assert_eq!(
        Listener::address(&listener).to_string(),
        format!("unix:{}", path.display())
    );
    let Address::UnixClient(credentials) = talk(&mut listener).await else {
        panic!("no credentials");
    };
    let owner = fs::metadata(&path).unwrap();
    assert_eq!(
        (credentials.uid, credentials.gid),
        (owner.uid(), owner.gid())
    );
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn an_abstract_name_is_bound_and_reached() {
    let name = format!("trunkline test \u{1}{}", std::process::id());
    let mut listener = UnixListener::bind_abstract(&name).unwrap();
    let from = talk(&mut listener).await;
    let ours = i32::try_from(std::process::id()).unwrap();
    assert!(
        matches!(from, Address::UnixClient(UnixCredentials { pid: Some(pid), .. }) if pid == ours)
    );
    let taken = UnixListener::bind_abstract(&name).unwrap_err().to_string();
    assert!(
        taken.contains("unix-abstract:trunkline test \\x01"),
        "{taken}"
    );
}

#[tokio::test]
async fn a_stale_file_is_replaced_and_a_live_one_is_not() {
    let folder = Folder::new();
    let path = folder.path("socket");
    // A process that was killed leaves its file behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let mut listener = UnixListener::bind(&path).await.unwrap();
    let error = UnixListener::bind(&path).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .ends_with("somebody listens on it already"),
        "{error}"
    );
    // That attempt left a connection behind, and the listener unharmed.
    listener.accept().await.unwrap();
    talk(&mut listener).await;
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let path = folder.path("notes.txt");
    fs::write(&path, "precious").unwrap();
    let error = UnixListener::bind(&path).await.unwrap_err().to_string();
    assert!(
        error.ends_with("the path exists and is no socket"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let missing = folder.path("no/such/folder");
    let error = UnixListener::bind(&missing).await.unwrap_err().to_string();
    assert!(error.contains("no/such/folder"), "{error}");
}

#[tokio::test]
async fn a_file_that_took_the_place_of_ours_stays() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let ours = UnixListener::bind(&path).await.unwrap();
    fs::remove_file(&path).unwrap();
    let theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(ours);
    assert!(path.exists());
    drop(theirs);
}

#[tokio::test]
async fn an_inherited_listener_keeps_its_file() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let bound = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut listener = UnixListener::from_std(bound).unwrap();
    talk(&mut listener).await;
    drop(listener);
    assert!(path.exists());
}

#[tokio::test]
async fn a_full_backlog_makes_a_client_wait() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&socket2::SockAddr::unix(&path).unwrap())
        .unwrap();
    socket.listen(0).unwrap();
    let mut listener = UnixListener::from_std(socket.into()).unwrap();
    let to = Listener::address(&listener);
    let connector = UnixConnector::default();
    let first = connector.connect(&to).await.unwrap();
    let mut second = Box::pin(connector.connect(&to));
    let short = Duration::from_millis(20);
    assert!(tokio::time::timeout(short, &mut second).await.is_err());
    listener.accept().await.unwrap();
    drop(first);
    tokio::time::timeout(Duration::from_secs(5), second)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn faults_of_names_are_named() {
    let table: [(&[u8], &str); 3] = [
        (b"", "is empty"),
        (b"a\0b", "holds a NUL byte"),
        (&[b'x'; 108], "is 108 bytes long; the system takes at most"),
    ];
    for (bytes, fault) in table {
        let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
        let error = Address::unix(path).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
        let error = UnixListener::bind(path).await.unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
        let unchecked = Address::Unix(path.into());
        let error = UnixConnector::default()
            .connect(&unchecked)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(fault), "{error}");
    }
    assert!(Address::unix_abstract([]).is_err());
    assert!(Address::unix_abstract([0; 108]).is_err());
    let tcp = Address::Tcp(([127, 0, 0, 1], 1).into());
    assert!(UnixConnector::default().connect(&tcp).await.is_err());
}
