//! TCP, both ways. Nagle's algorithm is off on every socket: a call waits for its answer.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};

use crate::{Address, BoxIo, Connector, Listener};

/// Connections that the kernel completes before `accept` is called.
const BACKLOG: i32 = 1024;

/// Listens on a TCP port.
#[derive(Debug)]
pub struct TcpListener {
    inner: tokio::net::TcpListener,
    local: SocketAddr,
}

impl TcpListener {
    /// Binds the first of the addresses that can be bound. Port 0 asks for a free one.
    ///
    /// # Errors
    /// Those of name lookup and of `bind(2)`: the last address's error when none could be bound.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name resolved to no address",
        );
        for candidate in lookup_host(address).await? {
            match bind(candidate).and_then(Self::from_std) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Takes over a listener that was bound elsewhere, for example inherited from a supervisor.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or has no local address.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::from_tokio(tokio::net::TcpListener::from_std(listener)?)
    }

    /// Takes over tokio's listener.
    ///
    /// # Errors
    /// When the socket has no local address.
    pub fn from_tokio(inner: tokio::net::TcpListener) -> io::Result<Self> {
        let local = inner.local_addr()?;
        Ok(Self { inner, local })
    }

    /// The address it is bound to, with the port that the kernel chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Listener for TcpListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        let (stream, from) = self.inner.accept().await?;
        // A socket that is already gone again refuses the option; reading from it says so better.
        let _ = stream.set_nodelay(true);
        Ok((BoxIo::new(stream), Address::Tcp(from)))
    }

    fn address(&self) -> Address {
        Address::Tcp(self.local)
    }
}

/// Connects to TCP addresses.
#[derive(Clone, Debug, Default)]
pub struct TcpConnector {
    _private: (),
}

impl Connector for TcpConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let Address::Tcp(address) = to else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{to} is not a TCP address; give the channel a connector for it"),
            ));
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(BoxIo::new(stream))
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted server must not wait for its predecessor's closed connections to be forgotten.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
