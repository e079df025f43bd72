//! The answer of a client-streaming call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Metadata, Response, Status};
use trunkline_transport::stream::RecvHalf;

use super::expiry::Expiry;
use super::opening::{Opening, was_taken};
use super::restart::Restart;
use super::single::Single;
use super::trace::CallSpan;
use super::unary::polled_again;
use crate::interceptor::{Ends, Outcome};

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
    ends: Option<Box<Ends>>,
    done: bool,
}

impl<T> Summary<T> {
    pub(crate) fn new(half: RecvHalf<T>, opening: &mut Opening<'_>) -> Self {
        let path = opening.method.path;
        Self {
            single: Single::new(half),
            expiry: opening.expiry.again(),
            path,
            span: CallSpan::new(path),
            restart: Restart::new(opening),
            ends: opening.hand_over(),
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
            match ready!(
                self.restart
                    .poll(self.single.half(), self.ends.as_mut(), &why, cx)
            ) {
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
        let mut result = result.map_err(|why| self.expiry.edge(why, self.path));
        if let Some(mut ends) = self.ends.take() {
            result = self.conclude(&mut ends, result);
        } else if let Err(why) = &mut result {
            let (headers, _) = self.single.remains();
            why.metadata_mut().extend(headers);
        }
        self.span.ended(&result);
        result
    }

    /// Shows the result to the interceptors, and gives what they leave.
    fn conclude(
        &mut self,
        ends: &mut Ends,
        result: Result<Response<T>, Status>,
    ) -> Result<Response<T>, Status> {
        let (mut outcome, message) = match result {
            Ok(response) => {
                let (headers, message, trailers) = response.into_parts();
                (Outcome::new(Ok(()), headers, trailers), Some(message))
            }
            Err(why) => {
                let (headers, message) = self.single.remains();
                (Outcome::new(Err(why), headers, Metadata::new()), message)
            }
        };
        ends.attempt_ended(outcome.status());
        ends.tell(&mut outcome);
        let result = outcome.into_response(message);
        let result = result.map_err(|why| self.expiry.edge(why, self.path));
        ends.call_ended(result.as_ref().map(|_| ()));
        result
    }

    /// Those who see the end of the call before its caller does.
    pub(crate) fn ends(&mut self) -> &mut Ends {
        let path = self.path;
        self.ends.get_or_insert_with(|| Box::new(Ends::new(path)))
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
