//! TCP, both ways.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, ToSocketAddrs, lookup_host};

use super::tcp_config::TcpConfig;
use crate::{Address, BoxIo, Connector, Listener};

/// Connections that the kernel completes before `accept` is called.
const BACKLOG: i32 = 1024;

/// Listens on a TCP port.
#[derive(Debug)]
pub struct TcpListener {
    inner: tokio::net::TcpListener,
    local: SocketAddr,
    config: TcpConfig,
}

impl TcpListener {
    /// Binds the first of the addresses that can be bound. Port 0 asks for a free one.
    ///
    /// # Errors
    /// Those of name lookup and of `bind(2)`: the last address's error when none could be bound.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with(address, TcpConfig::default()).await
    }

    /// The same, with options for the listener and for the connections that it accepts.
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind), and what the platform says to an option that it refuses.
    pub async fn bind_with(address: impl ToSocketAddrs, config: TcpConfig) -> io::Result<Self> {
        let mut last = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name resolved to no address",
        );
        for candidate in lookup_host(address).await? {
            match bind(candidate, &config).and_then(Self::from_std) {
                Ok(listener) => return Ok(listener.with_config(config)),
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
        Ok(Self {
            inner,
            local,
            config: TcpConfig::default(),
        })
    }

    /// Options for the connections that it accepts from now on.
    #[must_use]
    pub fn with_config(mut self, config: TcpConfig) -> Self {
        self.config = config;
        self
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
        // A socket that is already gone again refuses the options; reading from it says so better.
        if let Err(error) = self.config.apply(&stream) {
            tracing::debug!(%from, %error, "socket options refused");
        }
        Ok((BoxIo::new(stream), Address::Tcp(from)))
    }

    fn address(&self) -> Address {
        Address::Tcp(self.local)
    }
}

/// Connects to TCP addresses.
#[derive(Clone, Debug, Default)]
pub struct TcpConnector {
    config: TcpConfig,
}

impl TcpConnector {
    /// One whose connections have these options.
    #[must_use]
    pub const fn new(config: TcpConfig) -> Self {
        Self { config }
    }

    pub(crate) async fn open(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let socket = if to.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(local) = self.config.local_for(to)? {
            socket.bind(local).map_err(|error| {
                let text = format!("binding the local address {}: {error}", local.ip());
                io::Error::new(error.kind(), text)
            })?;
        }
        let stream = socket.connect(to).await?;
        self.config.apply(&stream)?;
        Ok(BoxIo::new(stream))
    }
}

impl Connector for TcpConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let Address::Tcp(address) = to else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{to} is not a TCP address; give the channel a connector for it"),
            ));
        };
        self.open(*address).await
    }
}

fn bind(address: SocketAddr, config: &TcpConfig) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted server must not wait for its predecessor's closed connections to be forgotten.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    config.apply_to_listener(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
