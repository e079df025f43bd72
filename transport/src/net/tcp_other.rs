//! Where the options of Linux do not exist, or mean something else.

use std::io;
use std::time::Duration;

use socket2::Socket;

/// The operating system's own patience remains.
pub(super) fn set_user_timeout(_socket: &Socket, _timeout: Duration) -> io::Result<()> {
    Ok(())
}

/// Elsewhere the last listener would get every connection.
pub(super) fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "reuse_port spreads connections on Linux only",
    ))
}
