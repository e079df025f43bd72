//! Where a connection goes, and who is at its other end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::credentials::Security;

/// An address that one connection can be made to, after name resolution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// The name of an in-memory listener.
    Memory(Arc<str>),
    /// Anything else, understood by a connector of yours.
    Other(Arc<str>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
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
}
