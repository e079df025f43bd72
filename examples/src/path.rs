//! A path between a client and a server in one process that can go dark, as real ones do.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline::transport::memory::MemoryConnector;
use trunkline::transport::{Address, BoxIo, Connector};

/// Connects by way of a path that can be cut.
#[derive(Clone, Debug)]
pub struct Path {
    to: MemoryConnector,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: AtomicU64,
    /// Connections with a lower number are dark.
    dark_below: AtomicU64,
    /// Sockets that were closed in the dark: the server does not hear of it.
    lost: Mutex<Vec<BoxIo>>,
}

impl Path {
    /// The path to the listener of this connector.
    #[must_use]
    pub fn new(to: MemoryConnector) -> Self {
        Self {
            to,
            state: Arc::default(),
        }
    }

    /// All connections that there are go dark, as when a cable is pulled: what either side sends
    /// is lost, and nobody is told. New connections take another way.
    pub fn cut(&self) {
        let count = self.state.connections.load(Ordering::Relaxed);
        self.state.dark_below.store(count, Ordering::Relaxed);
    }
}

impl Connector for Path {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let io = self.to.connect(to).await?;
        let number = self.state.connections.fetch_add(1, Ordering::Relaxed);
        Ok(BoxIo::new(Socket {
            io: Some(io),
            number,
            state: Arc::clone(&self.state),
        }))
    }
}

/// The client's end of a connection.
struct Socket {
    io: Option<BoxIo>,
    number: u64,
    state: Arc<State>,
}

impl Socket {
    fn is_dark(&self) -> bool {
        self.number < self.state.dark_below.load(Ordering::Relaxed)
    }

    fn io(&mut self) -> io::Result<Pin<&mut BoxIo>> {
        let io = self.io.as_mut().map(Pin::new);
        io.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_dark() {
            return Poll::Pending;
        }
        self.io()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_dark() {
            return Poll::Ready(Ok(buf.len()));
        }
        self.io()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_dark() {
            return Poll::Ready(Ok(()));
        }
        self.io()?.poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_dark() {
            let mut lost = self
                .state
                .lost
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            lost.extend(self.io.take());
        }
    }
}
