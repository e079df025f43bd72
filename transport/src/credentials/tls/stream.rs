//! A TLS session as a byte stream whose errors explain themselves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use super::explain::{Terms, explain};
use crate::BoxIo;

/// The stream that HTTP/2 is spoken over.
///
/// 1. What TLS has to say of the peer is of the kind `InvalidData`, as rustls has it, and its text
///    is ours. With TLS 1.3 a server judges the client's certificate when the client's handshake
///    is over already: its refusal comes out here.
/// 2. An end without TLS's `close_notify` is an end. HTTP/2 frames its own messages, so that
///    nothing can be cut off unnoticed.
pub(crate) struct TlsIo {
    inner: TlsStream<Counted>,
    terms: Arc<Terms>,
}

impl TlsIo {
    pub(super) fn new(inner: impl Into<TlsStream<Counted>>, terms: Arc<Terms>) -> Self {
        Self {
            inner: inner.into(),
            terms,
        }
    }

    /// Octets that the socket beneath has taken. What TLS has taken and it has not is not among
    /// them.
    pub(crate) fn sent(&self) -> u64 {
        self.inner.get_ref().0.sent
    }

    fn explained(&self, error: io::Error) -> io::Error {
        match explain(&error, &self.terms) {
            Some(text) => io::Error::new(io::ErrorKind::InvalidData, text),
            None => error,
        }
    }

    /// A peer that has refused us and hung up fails our writes, while its reason still waits to
    /// be read.
    fn why_refused(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut scratch = [0; 256];
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut ReadBuf::new(&mut scratch));
        match read {
            Poll::Ready(Err(said)) if said.kind() == io::ErrorKind::InvalidData => {
                self.explained(said)
            }
            _ => self.explained(error),
        }
    }
}

/// The socket beneath TLS, and what it took.
#[derive(Debug)]
pub(super) struct Counted {
    io: BoxIo,
    sent: u64,
}

impl Counted {
    pub(super) const fn new(io: BoxIo) -> Self {
        Self { io, sent: 0 }
    }

    pub(super) fn into_inner(self) -> BoxIo {
        self.io
    }

    fn count(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(octets)) = written {
            let octets = u64::try_from(*octets).unwrap_or(u64::MAX);
            self.sent = self.sent.saturating_add(octets);
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.count(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.count(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_read(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(self.explained(error)),
            Ok(()) => Ok(()),
        })
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        Poll::Ready(written.map_err(|error| self.why_refused(cx, error)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
        Poll::Ready(written.map_err(|error| self.why_refused(cx, error)))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.why_refused(cx, error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
