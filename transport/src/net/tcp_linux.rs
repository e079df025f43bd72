//! The TCP options that only Linux has, or that only there mean what a server needs.

use std::io;
use std::time::Duration;

use socket2::Socket;

/// The longest that sent data may stay unacknowledged.
pub(super) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(timeout))
}

/// Several listeners on one port, among which the kernel spreads connections.
pub(super) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}
