//! The options of TCP sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

use super::tcp_platform;

/// Options of TCP sockets, on the client and on the server.
///
/// What a platform does not know is ignored, unless its field says otherwise.
///
/// ```
/// use std::time::Duration;
/// use trunkline_transport::{TcpConfig, TcpKeepalive};
///
/// let mut probes = TcpKeepalive::default();
/// probes.idle = Some(Duration::from_secs(60));
/// let mut tcp = TcpConfig::default();
/// tcp.keepalive = Some(probes);
/// assert!(tcp.nodelay);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// Sends small segments at once (`TCP_NODELAY`). Default: yes, because a call waits for its
    /// answer, and every message already leaves in one write.
    pub nodelay: bool,
    /// Probes of an idle connection by the kernel (`SO_KEEPALIVE`). Default: on, with the
    /// operating system's times (two hours on Linux), so that a peer that lost power is forgotten
    /// some day; HTTP/2 keepalive is what notices it soon.
    pub keepalive: Option<TcpKeepalive>,
    /// The longest that sent data may stay unacknowledged before the kernel gives the connection
    /// up (`TCP_USER_TIMEOUT`, Linux only). Default: the kernel's own 15 minutes or so, or the
    /// timeout of HTTP/2 keepalive where that is on (gRFC A18).
    pub user_timeout: Option<Duration>,
    /// The local IP address that a client connects from. Default: the kernel chooses. Listeners do
    /// not use it. A server address of the other family cannot be reached from it.
    pub local_address: Option<IpAddr>,
    /// Lets several listeners share a port, among which the kernel spreads connections
    /// (`SO_REUSEPORT`). Linux only: elsewhere binding fails. Default: no, because a second server
    /// on the same port is nearly always a mistake. Connectors do not use it.
    pub reuse_port: bool,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: Some(TcpKeepalive::default()),
            user_timeout: None,
            local_address: None,
            reuse_port: false,
        }
    }
}

/// When the kernel probes an idle connection, and when it gives up. `None` in a field leaves the
/// choice to the operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpKeepalive {
    /// Idle time before the first probe; whole seconds count.
    pub idle: Option<Duration>,
    /// Time between two probes without an answer; whole seconds count.
    pub interval: Option<Duration>,
    /// Probes without an answer after which the connection is lost.
    pub probes: Option<u32>,
}

impl TcpConfig {
    /// Sets the options of a connection, whoever opened it.
    pub(crate) fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(self.nodelay)?;
        match &self.keepalive {
            Some(keepalive) => socket.set_tcp_keepalive(&keepalive.to_socket2())?,
            None => socket.set_keepalive(false)?,
        }
        match self.user_timeout {
            Some(timeout) => tcp_platform::set_user_timeout(&socket, timeout),
            None => Ok(()),
        }
    }

    /// Sets the options of a socket that is about to be bound and listened on.
    pub(crate) fn apply_to_listener(&self, socket: &Socket) -> io::Result<()> {
        if self.reuse_port {
            tcp_platform::set_reuse_port(socket)?;
        }
        Ok(())
    }

    /// What to bind before connecting to `to`.
    pub(crate) fn local_for(&self, to: SocketAddr) -> io::Result<Option<SocketAddr>> {
        match self.local_address {
            None => Ok(None),
            Some(local) if local.is_ipv4() == to.is_ipv4() => Ok(Some(SocketAddr::new(local, 0))),
            Some(local) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("it cannot be reached from the local address {local}, of another family"),
            )),
        }
    }
}

impl TcpKeepalive {
    fn to_socket2(self) -> socket2::TcpKeepalive {
        let mut socket = socket2::TcpKeepalive::new();
        // Less than a second would be none, which the kernel refuses.
        let whole = |time: Duration| time.max(Duration::from_secs(1));
        if let Some(idle) = self.idle {
            socket = socket.with_time(whole(idle));
        }
        if let Some(interval) = self.interval {
            socket = socket.with_interval(whole(interval));
        }
        if let Some(probes) = self.probes {
            socket = socket.with_retries(probes.max(1));
        }
        socket
    }
}
