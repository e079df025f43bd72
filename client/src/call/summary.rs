//! The answer of a client-streaming call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use trunkline_core::{Response, Status};
use trunkline_transport::stream::RecvHalf;

use super::expiry::Expiry;
use super::opening::Opening;
use super::single::Single;
use super::trace::CallSpan;
use super::unary::polled_again;

/// The one response of a client-streaming call: a future that is `Unpin` and `'static`.
///
/// It may be awaited while the [`Sender`](crate::Sender) is still sending, in another task or
/// beside it, to hear of an early answer. Dropping it before it is ready cancels the call.
///
/// Errors: the server's status; CANCELLED saying so if the `Sender` was dropped without
/// `finish()`; DEADLINE_EXCEEDED, which says so if the `Sender` was never finished; UNIMPLEMENTED
/// if the server sent no message, or two. All name the method.
#[must_use = "dropping the summary cancels the call"]
pub struct Summary<T> {
    single: Single<T>,
    expiry: Expiry,
    path: &'static str,
    span: CallSpan,
    done: bool,
}

impl<T> Summary<T> {
    pub(crate) fn new(half: RecvHalf<T>, opening: &Opening<'_>) -> Self {
        let path = opening.method.path;
        Self {
            single: Single::new(half),
            expiry: opening.expiry.again(),
            path,
            span: CallSpan::new(path),
            done: false,
        }
    }

    /// The answer, with a status that names no method yet: for a caller that may start over.
    pub(super) fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<T>, Status>> {
        match self.single.poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => match self.expiry.poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(self.single.expire(&self.expiry))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    /// The server has begun to answer.
    pub(super) fn has_head(&self) -> bool {
        self.single.has_head()
    }

    /// The result as the caller gets it.
    pub(super) fn finish(
        &mut self,
        result: Result<Response<T>, Status>,
    ) -> Result<Response<T>, Status> {
        self.done = true;
        let result = result.map_err(|why| self.expiry.edge(why, self.path));
        self.span.ended(&result);
        result
    }
}

// Nothing in it is ever pinned.
impl<T> Unpin for Summary<T> {}

impl<T> Future for Summary<T> {
    type Output = Result<Response<T>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(Err(polled_again()));
        }
        match this.poll_raw(cx) {
            Poll::Ready(result) => Poll::Ready(this.finish(result)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Summary<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("method", &self.path)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
