//! A call with one request and one response, as a future without a box.

use std::borrow::Borrow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Metadata, Method, Response, Status};

use super::intercepted::{Answer, Starting};
use super::one_request::OneRequest;
use super::opening::was_taken;
use super::options::Options;
use super::single::Single;
use super::trace::CallSpan;
use crate::channel::ChannelRef;

/// An awaited unary call; made by awaiting a [`Call`](crate::Call).
///
/// Everything but the socket is done by the task that polls it. Where a connection is ready, and
/// the channel has no interceptors, it allocates only what goes to the wire. Dropping it resets
/// the stream, so that the server's handler is told.
#[must_use = "futures do nothing unless awaited"]
pub struct UnaryFuture<'a, M: Method> {
    way: Way<'a, M>,
    span: Option<CallSpan>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "only the way without interceptors must be free of boxes"
)]
enum Way<'a, M: Method> {
    Direct(Exchange<'a, M, M::Request>),
    /// In the interceptors.
    Starting(Box<Starting>),
    /// Started by the interceptors.
    Answer(Box<Answer<M>>),
    Done,
}

impl<'a, M: Method> UnaryFuture<'a, M> {
    // Inlined, as what it calls, so that the caller's future is written where it stays.
    #[inline]
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        if channel.chain().is_some() {
            return Self::beneath_interceptors(channel, request, options);
        }
        let exchange = Exchange::new(OneRequest::new(channel, request, options));
        Self {
            way: Way::Direct(exchange),
            span: None,
        }
    }

    #[cold]
    fn beneath_interceptors(
        channel: ChannelRef<'a>,
        request: M::Request,
        options: Options,
    ) -> Self {
        let way = match channel.chain().cloned() {
            None => Way::Direct(Exchange::new(OneRequest::new(channel, request, options))),
            Some(chain) => {
                let starting = Starting::unary::<M>(channel, chain, request, options);
                Way::Starting(Box::new(starting))
            }
        };
        Self { way, span: None }
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<M::Response>, Status>> {
        loop {
            match &mut self.way {
                Way::Direct(exchange) => {
                    let result = ready!(exchange.poll(cx));
                    return Poll::Ready(exchange.finish(result));
                }
                Way::Starting(starting) => self.way = Way::Answer(ready!(starting.poll(cx))?),
                Way::Answer(answer) => return answer.poll(cx),
                Way::Done => return Poll::Ready(Err(polled_again())),
            }
        }
    }
}

// Nothing in it is ever pinned: the boxes of the slow paths are their own, the rest is moved freely.
impl<M: Method> Unpin for UnaryFuture<'_, M> {}

impl<M: Method> Future for UnaryFuture<'_, M> {
    type Output = Result<Response<M::Response>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if matches!(this.way, Way::Done) {
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
        this.way = Way::Done;
        span.ended(&result);
        Poll::Ready(result)
    }
}

/// One request and its one response, with one repetition where the server surely did not process
/// the first.
pub(crate) struct Exchange<'a, M: Method, R> {
    request: OneRequest<'a, M, R>,
    answer: Option<Single<M::Response>>,
}

impl<'a, M: Method, R: Borrow<M::Request>> Exchange<'a, M, R> {
    #[inline]
    pub(crate) const fn new(request: OneRequest<'a, M, R>) -> Self {
        Self {
            request,
            answer: None,
        }
    }

    /// Ready once the request is on its way.
    pub(crate) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.answer.is_none() {
            let answer = &mut self.answer;
            let put = |half| *answer = Some(Single::new(half));
            ready!(self.request.poll(cx, put))?;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<M::Response>, Status>> {
        loop {
            let Some(answer) = &mut self.answer else {
                ready!(self.poll_start(cx))?;
                continue;
            };
            match answer.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    self.request.opening.taken();
                    self.attempt_ended(Ok(()));
                    return Poll::Ready(Ok(response));
                }
                Poll::Ready(Err(why)) => {
                    if was_taken(&why, answer.has_head()) {
                        self.request.opening.taken();
                    }
                    let (has_head, at) = (answer.has_head(), answer.half().address());
                    let replay = self.request.may_replay(&why, has_head, at);
                    self.attempt_ended(Err(&why));
                    if !replay {
                        return Poll::Ready(Err(why));
                    }
                    self.answer = None;
                }
                Poll::Pending => {
                    let opening = &mut self.request.opening;
                    if opening.expiry.poll_beside(answer.half(), cx).is_pending() {
                        return Poll::Pending;
                    }
                    let why = answer.expire(&opening.expiry);
                    self.attempt_ended(Err(&why));
                    return Poll::Ready(Err(why));
                }
            }
        }
    }

    /// What has arrived of an answer that failed.
    pub(crate) fn remains(&mut self) -> (Metadata, Option<M::Response>) {
        match &mut self.answer {
            Some(answer) => answer.remains(),
            None => (Metadata::new(), None),
        }
    }

    fn attempt_ended(&mut self, outcome: Result<(), &Status>) {
        if let Some(watch) = self.request.opening.watch() {
            watch.attempt_ended(outcome);
        }
    }

    /// The result as the caller gets it.
    fn finish(
        &mut self,
        result: Result<Response<M::Response>, Status>,
    ) -> Result<Response<M::Response>, Status> {
        let result = result.map_err(|mut why| {
            let (headers, _) = self.remains();
            why.metadata_mut().extend(headers);
            self.edge(why)
        });
        if let Some(watch) = self.request.opening.watch() {
            watch.ended(result.as_ref().map(|_| ()));
        }
        result
    }

    /// A status on its way to the caller.
    pub(crate) fn edge(&self, status: Status) -> Status {
        self.request.opening.edge(status)
    }
}

impl<M: Method> fmt::Debug for UnaryFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryFuture")
            .field("method", &M::DESCRIPTOR.path)
            .field("done", &matches!(self.way, Way::Done))
            .finish_non_exhaustive()
    }
}

/// A future was polled after it had given its result.
pub(crate) fn polled_again() -> Status {
    Status::internal("the call's future was polled again after it had ended")
}
