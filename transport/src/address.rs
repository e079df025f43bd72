//! Where a connection goes, and who is at its other end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

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
}

impl Peer {
    /// A peer of which only the address is known.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self { address }
    }

    /// The address: where we connected to, or where the peer connected from.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}
