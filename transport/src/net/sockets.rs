//! The connector that a channel has when it is given none.

use std::io;

use crate::net::unix::UnixConnector;
use crate::{Address, BoxIo, Connector, TcpConnector};

/// Connects to TCP addresses and to Unix sockets; what a channel uses unless it is told otherwise.
#[derive(Clone, Debug, Default)]
pub struct SocketConnector {
    tcp: TcpConnector,
    unix: UnixConnector,
}

impl SocketConnector {
    /// One that connects to TCP addresses by way of `tcp`.
    #[must_use]
    pub fn new(tcp: TcpConnector) -> Self {
        Self {
            tcp,
            unix: UnixConnector::default(),
        }
    }
}

impl Connector for SocketConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        match to {
            Address::Unix(_) | Address::UnixAbstract(_) => self.unix.connect(to).await,
            _ => self.tcp.connect(to).await,
        }
    }
}
