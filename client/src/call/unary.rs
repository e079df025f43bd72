//! A call with one request and one response, as a future without a box.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use trunkline_core::{Method, Response, Status};

use super::one_request::OneRequest;
use super::opening::was_taken;
use super::options::Options;
use super::single::Single;
use super::trace::CallSpan;
use crate::channel::ChannelRef;

/// An awaited unary call; made by awaiting a [`Call`](crate::Call).
///
/// Everything but the socket is done by the task that polls it. Where a connection is ready it
/// allocates only what goes to the wire. Dropping it resets the stream, so that the server's
/// handler is told.
#[must_use = "futures do nothing unless awaited"]
pub struct UnaryFuture<'a, M: Method> {
    request: OneRequest<'a, M>,
    answer: Option<Single<M::Response>>,
    span: Option<CallSpan>,
    done: bool,
}

impl<'a, M: Method> UnaryFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        Self {
            request: OneRequest::new(channel, request, options),
            answer: None,
            span: None,
            done: false,
        }
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<M::Response>, Status>> {
        loop {
            let Some(answer) = &mut self.answer else {
                match self.request.poll(cx) {
                    Poll::Ready(Ok(half)) => self.answer = Some(Single::new(half)),
                    Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            };
            match answer.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    self.request.opening.taken();
                    return Poll::Ready(Ok(response));
                }
                Poll::Ready(Err(why)) => {
                    if was_taken(&why, answer.has_head()) {
                        self.request.opening.taken();
                    }
                    if !self.request.may_replay(&why, answer.has_head()) {
                        return Poll::Ready(Err(why));
                    }
                    self.answer = None;
                }
                Poll::Pending => {
                    let opening = &mut self.request.opening;
                    if opening.expiry.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let why = answer.expire(&opening.expiry);
                    return Poll::Ready(Err(why));
                }
            }
        }
    }
}

// Nothing in it is ever pinned: the box of the slow path is its own, the rest is moved freely.
impl<M: Method> Unpin for UnaryFuture<'_, M> {}

impl<M: Method> Future for UnaryFuture<'_, M> {
    type Output = Result<Response<M::Response>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(Err(polled_again()));
        }
        let span = this
            .span
            .take()
            .unwrap_or_else(|| CallSpan::new(M::DESCRIPTOR.path));
        let polled = {
            let _entered = span.enter();
            this.poll_call(cx)
        };
        let Poll::Ready(result) = polled else {
            this.span = Some(span);
            return Poll::Pending;
        };
        this.done = true;
        this.answer = None;
        let result = result.map_err(|why| this.request.opening.edge(why));
        span.ended(&result);
        Poll::Ready(result)
    }
}

impl<M: Method> fmt::Debug for UnaryFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryFuture")
            .field("method", &M::DESCRIPTOR.path)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// A future was polled after it had given its result.
pub(crate) fn polled_again() -> Status {
    Status::internal("the call's future was polled again after it had ended")
}
