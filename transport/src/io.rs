//! The byte stream that everything above a socket works on.

use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A byte stream of any kind: TCP, in-memory, or one that a connector or listener of yours made.
///
/// Erased once per connection, so that no type above it needs a parameter.
pub struct BoxIo(Box<dyn Io>);

/// What an erased byte stream can do.
trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl BoxIo {
    /// Wraps a byte stream.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(io))
    }

    /// Octets that the socket has taken, where that is less than what was written: TLS keeps some
    /// back.
    pub(crate) fn sent(&self) -> Option<u64> {
        #[cfg(feature = "tls")]
        if let Some(tls) = (*self.0)
            .as_any()
            .downcast_ref::<crate::credentials::tls::TlsIo>()
        {
            return Some(tls.sent());
        }
        None
    }

    /// Takes a socket off the runtime that it was made on, so that another one can wait for it.
    ///
    /// TCP and Unix sockets of tokio are moved; what else there is goes along as it is, and is
    /// woken by whatever wakes it.
    ///
    /// # Errors
    /// What the platform says when the socket cannot be taken off; it is closed then.
    pub fn detach(self) -> io::Result<DetachedIo> {
        let inner = (*self.0).as_any();
        if inner.is::<TcpStream>() {
            return match self.0.into_any().downcast::<TcpStream>() {
                Ok(stream) => stream.into_std().map(Detached::Tcp).map(DetachedIo),
                Err(_other) => Err(io::ErrorKind::Other.into()),
            };
        }
        #[cfg(unix)]
        if inner.is::<UnixStream>() {
            return match self.0.into_any().downcast::<UnixStream>() {
                Ok(stream) => stream.into_std().map(Detached::Unix).map(DetachedIo),
                Err(_other) => Err(io::ErrorKind::Other.into()),
            };
        }
        Ok(DetachedIo(Detached::Other(self)))
    }
}

/// A byte stream on its way from one runtime to another; see [`BoxIo::detach`].
#[derive(Debug)]
pub struct DetachedIo(Detached);

#[derive(Debug)]
enum Detached {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
    Other(BoxIo),
}

impl DetachedIo {
    /// Puts it on the runtime that this is called on.
    ///
    /// # Errors
    /// What the platform says when the socket cannot be waited for; it is closed then.
    pub fn attach(self) -> io::Result<BoxIo> {
        match self.0 {
            Detached::Tcp(stream) => TcpStream::from_std(stream).map(BoxIo::new),
            #[cfg(unix)]
            Detached::Unix(stream) => UnixStream::from_std(stream).map(BoxIo::new),
            Detached::Other(io) => Ok(io),
        }
    }
}

impl AsyncRead for BoxIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for BoxIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl fmt::Debug for BoxIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxIo")
    }
}
