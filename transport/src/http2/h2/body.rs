//! The receiving side of a stream: chunks of bytes, and the window they give back.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;

use super::gauge::Count;
use super::link::Link;

/// h2's receiving handle with its books of window to give back.
///
/// Window is released when a chunk is taken, in steps (see [`Link::release_at`]); what is left
/// when the stream ends h2 credits to the connection by itself.
#[derive(Debug)]
pub(super) struct Body {
    recv: RecvStream,
    taken: u32,
    /// For what the window policy wants to know.
    count: Count,
}

impl Body {
    pub(super) fn new(recv: RecvStream) -> Self {
        Self {
            recv,
            taken: 0,
            count: Count::default(),
        }
    }

    /// The next chunk; `None` at END_STREAM or before trailers.
    pub(super) fn poll_chunk(
        &mut self,
        link: &Link,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, h2::Error>> {
        let Poll::Ready(chunk) = self.recv.poll_data(cx) else {
            link.readers().caught_up();
            return Poll::Pending;
        };
        let Some(chunk) = chunk else {
            link.readers().caught_up();
            return Poll::Ready(Ok(None));
        };
        let chunk = chunk?;
        self.taken = self
            .taken
            .saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        if self.taken >= link.release_at() {
            // Fails only for a stream that is gone, whose next poll says so.
            let taken = usize::try_from(self.taken).unwrap_or(usize::MAX);
            let _ = self.recv.flow_control().release_capacity(taken);
            link.took(&mut self.count, self.taken);
            self.taken = 0;
        }
        Poll::Ready(Ok(Some(chunk)))
    }

    /// The trailers, after the last chunk; `None` if END_STREAM came without.
    pub(super) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, h2::Error>> {
        self.recv.poll_trailers(cx)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.recv.is_end_stream()
    }
}
