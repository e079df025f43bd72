//! The answer of a client-streaming call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Response, Status};
use trunkline_transport::stream::RecvHalf;

use super::expiry::Expiry;
use super::opening::{Opening, was_taken};
use super::restart::Restart;
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
    restart: Restart,
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
            restart: Restart::new(opening),
            done: false,
        }
    }

    /// The answer, with a status that names no method yet.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<T>, Status>> {
        loop {
            let Poll::Ready(result) = self.single.poll(cx) else {
                ready!(self.expiry.poll(cx));
                return Poll::Ready(Err(self.single.expire(&self.expiry)));
            };
            let Err(why) = result else {
                self.restart.taken();
                return Poll::Ready(result);
            };
            if was_taken(&why, self.single.has_head()) {
                self.restart.taken();
            }
            match ready!(self.restart.poll(self.single.half(), cx)) {
                Ok(true) => {}
                Ok(false) => {
                    self.single.half().fail(why.clone());
                    return Poll::Ready(Err(why));
                }
                Err(why) => return Poll::Ready(Err(why)),
            }
        }
    }

    /// The result as the caller gets it.
    fn finish(&mut self, result: Result<Response<T>, Status>) -> Result<Response<T>, Status> {
        self.done = true;
        self.restart.settle();
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
        match this.poll_answer(cx) {
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
