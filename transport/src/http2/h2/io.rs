//! One write per wake: the socket as the h2 crate sees it, and as its driver flushes it.
//!
//! h2 flushes after every DATA frame of 256 bytes or more, which would cost one system call per
//! response. So what h2 writes is only collected here, and the connection's driver writes it once
//! h2 has nothing more to do:
//!
//! 1. `poll_flush`, called by h2, does nothing.
//! 2. Small writes are copied into a buffer; at [`CAPACITY`] bytes they go to the socket and h2
//!    feels its back-pressure.
//! 3. Writes of [`LARGE`] bytes or more are not copied: they go out by one vectored write,
//!    together with what waits before them.
//! 4. The driver calls [`Flusher::poll_flush`] before each time it goes to sleep.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline_core::Status;

use super::rest::Rest;
use crate::http2::heard::Heard;
use crate::sync::Mutex;
use crate::{BoxIo, Peer};

/// Bytes collected before the socket is asked to take them.
const CAPACITY: usize = 64 * 1024;

/// From here on copying costs more than another slice in a vectored write.
const LARGE: usize = 8 * 1024;

/// What an idle connection may keep of its buffer.
const IDLE_CAPACITY: usize = 4 * 1024;

/// Slices that one vectored write takes from h2, which offers a frame head and a payload.
const SLICES: usize = 8;

/// Splits a socket into what h2 writes to and what its driver flushes.
pub(super) fn coalesce(io: BoxIo, rest: Rest) -> (Coalesced, Flusher) {
    let out = Arc::new(Mutex::new(Out {
        io,
        buffer: BytesMut::new(),
        heard: Heard::default(),
        read: 0,
        rest,
    }));
    (Coalesced(Arc::clone(&out)), Flusher(out))
}

/// The socket as h2 sees it. Both handles live in the same task, so the lock is never contended.
pub(super) struct Coalesced(Arc<Mutex<Out>>);

/// The driver's handle to the same socket.
pub(super) struct Flusher(Arc<Mutex<Out>>);

struct Out {
    io: BoxIo,
    buffer: BytesMut,
    heard: Heard,
    /// Bytes read so far.
    read: u64,
    rest: Rest,
}

impl Flusher {
    /// Writes what was collected. Pending: the socket is full, and the task will be woken.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_flush(cx)
    }

    /// A better reason why a client got no HTTP/2 settings, where the first bytes tell one.
    pub(super) fn explain_server(&self, why: Status, peer: &Peer) -> Status {
        self.0.lock().heard.explain_server(why, peer)
    }

    /// A better reason why a server found no HTTP/2 preface, where the first bytes tell one.
    pub(super) fn explain_client(&self, why: Status, peer: &Peer) -> Status {
        self.0.lock().heard.explain_client(why, peer)
    }

    /// Bytes that have arrived so far: for keepalive, which looks whether it has moved.
    pub(super) fn bytes_read(&self) -> u64 {
        self.0.lock().read
    }

    /// The socket, if h2 has let go of it.
    pub(super) fn into_io(self) -> Option<BoxIo> {
        Arc::into_inner(self.0).map(|out| out.into_inner().io)
    }

    /// Gives the buffer's memory back: the connection has no call.
    pub(super) fn shrink(&self) {
        let mut out = self.0.lock();
        if out.buffer.is_empty() && out.buffer.capacity() > IDLE_CAPACITY {
            out.buffer = BytesMut::new();
        }
    }
}

impl Out {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.buffer.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.buffer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if total >= LARGE {
            return self.poll_write_through(cx, slices);
        }
        if self.buffer.len() + total > CAPACITY {
            ready!(self.poll_flush(cx))?;
        }
        for slice in slices {
            self.buffer.extend_from_slice(slice);
        }
        Poll::Ready(Ok(total))
    }

    fn poll_write_through(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let waiting = self.buffer.len();
            if waiting == 0 {
                return Pin::new(&mut self.io).poll_write_vectored(cx, slices);
            }
            let mut all = [IoSlice::new(&[]); SLICES];
            let ours = std::iter::once(IoSlice::new(&self.buffer));
            let offered = ours.chain(slices.iter().copied());
            let mut count = 0;
            for (place, slice) in all.iter_mut().zip(offered) {
                *place = slice;
                count += 1;
            }
            let all = all.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written.min(waiting));
            if written > waiting {
                return Poll::Ready(Ok(written - waiting));
            }
        }
    }
}

impl AsyncRead for Coalesced {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut out = self.0.lock();
        ready!(out.rest.poll_over(cx));
        let before = buf.filled().len();
        let Poll::Ready(done) = Pin::new(&mut out.io).poll_read(cx, buf) else {
            out.rest.waits_anyway();
            return Poll::Pending;
        };
        done?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if out.heard.is_listening() {
            out.heard.hear(read);
        }
        out.rest.count(read);
        let length = u64::try_from(read.len()).unwrap_or(u64::MAX);
        out.read = out.read.wrapping_add(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Coalesced {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = self.0.lock();
        ready!(out.poll_flush(cx))?;
        Pin::new(&mut out.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn small_writes_wait_for_the_driver() {
        let (near, mut far) = duplex(1024);
        let (mut io, flusher) = coalesce(BoxIo::new(near), Rest::new(Arc::default(), 0));
        io.write_all(b"one").await.unwrap();
        io.flush().await.unwrap();
        io.write_all(b"two").await.unwrap();
        let mut got = [0; 6];
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(5), far.read(&mut got));
        assert!(
            nothing.await.is_err(),
            "h2's flush must not reach the socket"
        );
        poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"onetwo");
    }

    #[tokio::test]
    async fn a_reader_that_stops_stops_the_writer_and_loses_nothing() {
        let (near, mut far) = duplex(1000);
        let (mut io, flusher) = coalesce(BoxIo::new(near), Rest::new(Arc::default(), 0));
        let sent: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            let mut rest = sent.as_slice();
            let mut size = 1;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(size.min(rest.len()));
                io.write_all(now).await.unwrap();
                rest = later;
                size = (size * 3) % 20_011 + 1;
            }
            poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
            drop(io);
        });
        tokio::task::yield_now().await;
        assert!(
            !writer.is_finished(),
            "600 kB cannot fit into 64 KiB and a pipe of 1 kB"
        );
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap();
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn shutdown_writes_what_waits() {
        let (near, mut far) = duplex(1024);
        let (mut io, _flusher) = coalesce(BoxIo::new(near), Rest::new(Arc::default(), 0));
        io.write_all(b"goodbye").await.unwrap();
        io.shutdown().await.unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"goodbye");
    }
}
