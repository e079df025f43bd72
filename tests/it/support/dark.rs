//! A path that can go dark, in one direction or both: what is sent that way is lost, also a FIN.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline::transport::memory::MemoryConnector;
use trunkline::transport::{Address, BoxIo, Connector};

/// Turns directions of the path off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    to_server: AtomicBool,
    to_client: AtomicBool,
    /// Sockets whose end the other side does not see.
    lost: Mutex<Vec<BoxIo>>,
}

impl Path {
    /// Connects by way of this path.
    pub(crate) fn over(&self, connector: MemoryConnector) -> impl Connector {
        OverPath(connector, self.clone())
    }

    /// From now on nothing that the client sends arrives.
    pub(crate) fn lose_requests(&self) {
        self.0.to_server.store(true, Ordering::Relaxed);
    }

    /// From now on nothing that the server sends arrives.
    pub(crate) fn lose_answers(&self) {
        self.0.to_client.store(true, Ordering::Relaxed);
    }

    /// The other side learns of what was lost.
    pub(crate) fn forget(&self) {
        self.0.lost.lock().unwrap().clear();
    }
}

struct OverPath(MemoryConnector, Path);

impl Connector for OverPath {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let io = Some(self.0.connect(to).await?);
        let path = self.1.clone();
        Ok(BoxIo::new(Socket { io, path }))
    }
}

/// The client's end.
struct Socket {
    io: Option<BoxIo>,
    path: Path,
}

impl Socket {
    fn io(&mut self) -> Pin<&mut BoxIo> {
        Pin::new(self.io.as_mut().expect("until it is dropped"))
    }

    fn loses(&self, direction: &AtomicBool) -> bool {
        direction.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.loses(&self.path.0.to_client) {
            return self.io().poll_read(cx, buf);
        }
        let mut scratch = [0; 1024];
        loop {
            let mut scratch = ReadBuf::new(&mut scratch);
            let read = self.io().poll_read(cx, &mut scratch);
            if read.is_pending() || scratch.filled().is_empty() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.loses(&self.path.0.to_server) {
            return Poll::Ready(Ok(buf.len()));
        }
        self.io().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.loses(&self.path.0.to_server) {
            return Poll::Ready(Ok(()));
        }
        self.io().poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.loses(&self.path.0.to_server) {
            self.path.0.lost.lock().unwrap().extend(self.io.take());
        }
    }
}
