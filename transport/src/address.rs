//! Where a connection goes, and who is at its other end.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::credentials::Security;
use crate::net::unix;

/// An address that one connection can be made to, after name resolution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix socket in the file system; [`Address::unix`] checks the path.
    Unix(Arc<Path>),
    /// A Unix socket in Linux's abstract namespace, by its name without the leading NUL;
    /// [`Address::unix_abstract`] checks it.
    UnixAbstract(Arc<[u8]>),
    /// The nameless end of a Unix socket that a client connected from, as the kernel knows it.
    UnixClient(UnixCredentials),
    /// A host that is looked up at the other end: by a proxy.
    Name {
        /// A host name, not an IP address.
        host: Arc<str>,
        /// The port.
        port: u16,
    },
    /// The name of an in-memory listener.
    Memory(Arc<str>),
    /// Anything else, understood by a connector of yours.
    Other(Arc<str>),
}

impl Address {
    /// A Unix socket in the file system.
    ///
    /// Shape: any path, absolute or relative to the working directory at the time of connecting.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use trunkline_transport::Address;
    ///
    /// let address = Address::unix("/run/greeter.sock")?;
    /// assert_eq!(address.to_string(), "unix:/run/greeter.sock");
    /// assert!(Address::unix("").is_err());
    /// # }
    /// # Ok::<(), trunkline_transport::UnixAddressError>(())
    /// ```
    ///
    /// # Errors
    /// The path is empty, holds a NUL byte, or is longer than the system takes (107 bytes on
    /// Linux, 103 elsewhere); or the platform has no Unix sockets.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, UnixAddressError> {
        let path = path.as_ref();
        unix::check_path(path)?;
        Ok(Self::Unix(path.into()))
    }

    /// A Unix socket in Linux's abstract namespace: no file, gone with the last who holds it.
    ///
    /// Shape: any bytes but none at all; the leading NUL of the kernel's form is not part of it.
    ///
    /// # Errors
    /// The name is empty or longer than 107 bytes; or the platform is not Linux.
    pub fn unix_abstract(name: impl AsRef<[u8]>) -> Result<Self, UnixAddressError> {
        let name = name.as_ref();
        unix::check_abstract(name)?;
        Ok(Self::UnixAbstract(name.into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixAbstract(name) => write!(f, "unix-abstract:{}", name.escape_ascii()),
            Self::UnixClient(credentials) => write!(f, "unix client ({credentials})"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Memory(name) => write!(f, "memory:{name}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// Why a path or name is not that of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnixAddressError {
    /// Nothing was given.
    Empty,
    /// A path cannot hold a NUL byte.
    Nul,
    /// The system's socket addresses are too short for it.
    TooLong {
        /// Length of what was given, in bytes.
        bytes: usize,
        /// The most that this platform takes, in bytes.
        limit: usize,
    },
    /// This platform has no Unix sockets, or no abstract ones.
    Unsupported {
        /// What it lacks.
        what: &'static str,
    },
}

impl fmt::Display for UnixAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name of the Unix socket is empty"),
            Self::Nul => f.write_str("the path of the Unix socket holds a NUL byte"),
            Self::TooLong { bytes, limit } => write!(
                f,
                "the name of the Unix socket is {bytes} bytes long; the system takes at most {limit}"
            ),
            Self::Unsupported { what } => write!(f, "this platform has no {what}"),
        }
    }
}

impl std::error::Error for UnixAddressError {}

impl From<UnixAddressError> for std::io::Error {
    fn from(error: UnixAddressError) -> Self {
        let kind = match &error {
            UnixAddressError::Unsupported { .. } => std::io::ErrorKind::Unsupported,
            UnixAddressError::Empty | UnixAddressError::Nul | UnixAddressError::TooLong { .. } => {
                std::io::ErrorKind::InvalidInput
            }
        };
        Self::new(kind, error)
    }
}

/// Who is at the other end of a Unix socket, as the kernel says: nothing that a peer can forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnixCredentials {
    /// The effective user of the process that connected, at that time.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// The process itself; `None` where the platform does not tell.
    pub pid: Option<i32>,
}

impl fmt::Display for UnixCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}, gid {}", self.uid, self.gid)?;
        match self.pid {
            Some(pid) => write!(f, ", pid {pid}"),
            None => Ok(()),
        }
    }
}

/// The other end of a connection, as far as this side knows it.
#[derive(Clone, Debug)]
pub struct Peer {
    address: Address,
    security: Security,
}

impl Peer {
    /// A peer of which only the address is known: nothing secures the connection to it.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self {
            address,
            security: Security::NONE,
        }
    }

    /// The same peer, with what the handshake has shown.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// What secures the connection, and who the peer has proven to be.
    ///
    /// ```
    /// use trunkline_transport::credentials::SecurityLevel;
    /// # use trunkline_transport::{Address, Peer};
    ///
    /// # let peer = Peer::new(Address::Memory("greeter".into()));
    /// assert_eq!(peer.security().level(), SecurityLevel::None);
    /// let certificates = peer.security().tls().map(|tls| &tls.peer_certificates);
    /// assert!(certificates.is_none(), "plaintext");
    /// ```
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.security
    }

    /// The address: where we connected to, or where the peer connected from.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// User, group and process of a client on a Unix socket; `None` on any other connection.
    #[must_use]
    pub const fn unix_credentials(&self) -> Option<UnixCredentials> {
        match &self.address {
            Address::UnixClient(credentials) => Some(*credentials),
            _ => None,
        }
    }
}
