//! Unix sockets, both ways: by path, and on Linux by a name in the abstract namespace.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;

use crate::address::{UnixAddressError, UnixCredentials};
use crate::{Address, BoxIo, Connector, Listener};

/// Whether names without a file exist here.
const HAS_ABSTRACT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// `sun_path` without its last NUL, which some systems insist on.
const MAX_NAME_BYTES: usize = if HAS_ABSTRACT { 107 } else { 103 };

/// The first pause before a listener whose backlog is full is asked again.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn check_path(path: &Path) -> Result<(), UnixAddressError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(UnixAddressError::Nul);
    }
    check_length(bytes)
}

pub(crate) fn check_abstract(name: &[u8]) -> Result<(), UnixAddressError> {
    if !HAS_ABSTRACT {
        let what = "abstract Unix sockets";
        return Err(UnixAddressError::Unsupported { what });
    }
    check_length(name)
}

fn check_length(bytes: &[u8]) -> Result<(), UnixAddressError> {
    match bytes.len() {
        0 => Err(UnixAddressError::Empty),
        length if length > MAX_NAME_BYTES => Err(UnixAddressError::TooLong {
            bytes: length,
            limit: MAX_NAME_BYTES,
        }),
        _ => Ok(()),
    }
}

/// Listens on a Unix socket.
///
/// Each accepted connection tells which user, group and process is at its other end, see
/// [`Peer::unix_credentials`](crate::Peer::unix_credentials). Who may connect is decided by the
/// permissions of the socket file, which are those of the process's umask, and by those of its
/// folder: put it into a folder that only the right users may enter.
#[derive(Debug)]
pub struct UnixListener {
    inner: tokio::net::UnixListener,
    address: Address,
    _file: Option<OwnFile>,
}

impl UnixListener {
    /// Binds a path. The socket file is removed when the listener is dropped.
    ///
    /// A socket file that is in the way is removed if nobody listens on it: what a process leaves
    /// behind that was killed. Anything else in the way is left alone.
    ///
    /// # Errors
    /// The path is none for a socket, see [`Address::unix`]; somebody listens on it; something
    /// that is no socket has that path; those of `bind(2)`. The text names the path.
    pub async fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let address = Address::unix(path).map_err(|error| named(path, &error.into()))?;
        let inner = match tokio::net::UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path).await?;
                tokio::net::UnixListener::bind(path)
            }
            result => result,
        };
        let inner = inner.map_err(|error| named(path, &error))?;
        let _file = SocketFile::of(path).ok().map(OwnFile);
        Ok(Self {
            inner,
            address,
            _file,
        })
    }

    /// Binds a name in the abstract namespace of Linux. There is no file, and no permission
    /// either: everybody in the same network namespace may connect.
    ///
    /// # Errors
    /// The name is none, see [`Address::unix_abstract`]; somebody has it.
    pub fn bind_abstract(name: impl AsRef<[u8]>) -> io::Result<Self> {
        let address = Address::unix_abstract(name.as_ref())?;
        let inner = tokio::net::UnixListener::bind(abstract_path(name.as_ref()))
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        Ok(Self {
            inner,
            address,
            _file: None,
        })
    }

    /// Takes over a listener that was bound elsewhere, for example inherited from a supervisor.
    /// Its socket file, if any, is left alone.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or has no local address.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let inner = tokio::net::UnixListener::from_std(listener)?;
        let local = inner.local_addr()?;
        let address = match local.as_pathname() {
            Some(path) => Address::Unix(path.into()),
            // tokio does not show abstract names.
            None => Address::Other("unix:".into()),
        };
        Ok(Self {
            inner,
            address,
            _file: None,
        })
    }
}

impl Listener for UnixListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        let (stream, _nameless) = self.inner.accept().await?;
        let from = match stream.peer_cred() {
            Ok(credentials) => Address::UnixClient(UnixCredentials {
                uid: credentials.uid(),
                gid: credentials.gid(),
                pid: credentials.pid(),
            }),
            Err(_unknown) => self.address.clone(),
        };
        Ok((BoxIo::new(stream), from))
    }

    fn address(&self) -> Address {
        self.address.clone()
    }
}

/// Connects to Unix sockets, by path and by abstract name.
#[derive(Clone, Debug, Default)]
pub struct UnixConnector {
    _private: (),
}

impl Connector for UnixConnector {
    /// Waits while the listener's backlog is full, for as long as the caller does.
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let path: Arc<Path> = match to {
            Address::Unix(path) => {
                check_path(path)?;
                Arc::clone(path)
            }
            Address::UnixAbstract(name) => {
                check_abstract(name)?;
                abstract_path(name).into()
            }
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("{other} is not a Unix socket; give the channel a connector for it"),
                ));
            }
        };
        let mut pause = FIRST_PAUSE;
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => return Ok(BoxIo::new(stream)),
                // The kernel does not queue for a place in the backlog.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How tokio spells a name in the abstract namespace.
fn abstract_path(name: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(name.len().saturating_add(1));
    bytes.push(0);
    bytes.extend_from_slice(name);
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("unix:{}: {error}", path.display()))
}

/// Removes the socket file at `path` if nobody listens on it.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let in_the_way = |why: &str| {
        let text = format!("unix:{}: {why}", path.display());
        io::Error::new(io::ErrorKind::AddrInUse, text)
    };
    let found =
        SocketFile::of(path).map_err(|_none| in_the_way("the path exists and is no socket"))?;
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Connected, or its backlog is full, or we may not ask.
        Ok(_) | Err(_) => return Err(in_the_way("somebody listens on it already")),
    }
    found.remove();
    Ok(())
}

/// A socket in the file system, by what it is and not by its name alone.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        if !found.file_type().is_socket() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(Self {
            // The process may change its working directory until the end.
            path: std::path::absolute(path)?,
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Removes the file, unless something else has taken its place.
    fn remove(&self) {
        let same = |found: &fs::Metadata| {
            found.file_type().is_socket() && (found.dev(), found.ino()) == (self.device, self.inode)
        };
        if fs::symlink_metadata(&self.path).is_ok_and(|found| same(&found)) {
            // A file that cannot be removed is found stale by the next who binds it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes its file at the end.
#[derive(Debug)]
struct OwnFile(SocketFile);

impl Drop for OwnFile {
    fn drop(&mut self) {
        self.0.remove();
    }
}

#[cfg(test)]
mod tests;
