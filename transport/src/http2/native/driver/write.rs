//! Writing: what is to be written is placed, and goes out by as few system calls as it fits into.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::Driver;
use super::closing::Death;

/// Slices of one vectored write.
const SLICES: usize = 64;

/// Bytes that are written in one turn.
const MAX_BYTES: usize = 1024 * 1024;

/// Payloads up to this length are copied for a socket that takes one slice at a time.
pub(super) const COPIED: usize = 16 * 1024;

impl Driver {
    /// Writes until the socket is full, or enough.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Death> {
        let mut bytes = 0;
        self.hold_ahead();
        self.out.borrow();
        loop {
            self.core.fill(&mut self.out, self.now);
            if self.out.is_empty() {
                break;
            }
            match self.write_once(cx) {
                Poll::Pending => {
                    self.stall.wrote(self.sent(), true, self.now);
                    return Ok(());
                }
                Poll::Ready(written) => bytes += written.map_err(Death::Unwritten)?,
            }
            self.is_used();
            if bytes >= MAX_BYTES {
                self.goes_on = true;
                break;
            }
        }
        self.out.give_back();
        let flushed = self.flush(cx);
        // TLS has taken all of it, and holds it for the socket perhaps.
        if self.out.is_empty() && !self.is_flushing {
            self.stall.wrote(0, false, self.now);
        } else {
            self.stall.wrote(self.sent(), true, self.now);
        }
        match flushed {
            Poll::Ready(Err(error)) => Err(Death::Unwritten(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// All octets that the socket ever took.
    pub(super) fn sent(&self) -> u64 {
        self.io.sent().unwrap_or_else(|| self.out.taken())
    }

    /// Writes all that was placed.
    pub(super) fn write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            std::task::ready!(self.write_once(cx))?;
        }
        self.flush(cx)
    }

    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        let written = if let Some(bytes) = self.out.only() {
            // Most writes: without a list, which costs the kernel more as well.
            io.poll_write(cx, bytes)
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.out.slices(&mut slices);
            io.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
        };
        let written = std::task::ready!(written)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.out.advance(written);
        self.is_flushing = true;
        Poll::Ready(Ok(written))
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_flushing {
            std::task::ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_flushing = false;
        }
        Poll::Ready(Ok(()))
    }
}
