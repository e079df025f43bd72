//! The half that receives, and knows how the call ended.

use std::borrow::Borrow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use trunkline_core::{Metadata, Method, Stage, Status};
use trunkline_transport::Address;
use trunkline_transport::stream::RecvHalf;

use crate::call::{
    AttemptEnd, CallEnd, CallSpan, Expiry, OneRequest, Opening, Restart, waiting_for, was_taken,
};
use crate::interceptor::{Ends, OnEnd, Outcome, Product};

/// The receiving half of a call with many responses; also a [`Stream`].
///
/// It is `Send` and `'static`, and not `Clone`; receiving takes `&mut self`, so two concurrent
/// receivers on one stream do not compile:
/// ```compile_fail,E0499
/// async fn two_at_once(receiver: &mut trunkline_client::Receiver<u32>) {
///     let (one, other) = (receiver.recv(), receiver.recv());
///     let _ = (one.await, other.await);
/// }
/// ```
/// ```compile_fail,E0599
/// fn second_half(receiver: trunkline_client::Receiver<u32>) -> trunkline_client::Receiver<u32> {
///     receiver.clone()
/// }
/// ```
/// Dropping it before the end cancels the call; after the end it changes nothing.
#[must_use = "dropping the receiver cancels the call"]
pub struct Receiver<T> {
    half: RecvHalf<T>,
    expiry: Expiry,
    path: &'static str,
    span: CallSpan,
    received: u64,
    /// As a stream: the end, or the one error, was given.
    yielded_end: bool,
    /// Sends the one request again, as long as nothing was answered.
    replay: Option<Box<dyn Replay<T>>>,
    replaying: bool,
    /// Puts the call on another stream, as long as nothing was answered.
    restart: Restart,
    /// How the call ended while the half belonged to a stream that had already failed.
    failure: Option<Status>,
    /// The end as it was told: the deadline may pass later and changes nothing.
    told: Option<Result<(), Status>>,
    ends: Option<Box<Ends>>,
}

/// A server-streaming call that can be made once more.
trait Replay<T>: Send + Sync {
    fn taken(&self);
    fn may_replay(&mut self, why: &Status, has_head: bool, at: Option<&Address>) -> bool;
    /// The failure, with what was tried before.
    fn failed(&self, why: Status) -> Status;
    fn take_attempt(&mut self) -> Option<AttemptEnd>;
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecvHalf<T>, Status>>;
}

impl<M: Method, R> Replay<M::Response> for OneRequest<'static, M, R>
where
    R: Borrow<M::Request> + Send + Sync + 'static,
{
    fn taken(&self) {
        self.opening.taken();
    }

    fn may_replay(&mut self, why: &Status, has_head: bool, at: Option<&Address>) -> bool {
        Self::may_replay(self, why, has_head, at)
    }

    fn failed(&self, why: Status) -> Status {
        self.opening.edge(why)
    }

    fn take_attempt(&mut self) -> Option<AttemptEnd> {
        self.opening.watch()?.take_attempt()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecvHalf<M::Response>, Status>> {
        Self::poll(self, cx, |half| half)
    }
}

impl<T> Receiver<T> {
    pub(crate) fn single_request<M, R>(
        half: RecvHalf<T>,
        mut request: OneRequest<'static, M, R>,
    ) -> Self
    where
        M: Method<Response = T>,
        R: Borrow<M::Request> + Send + Sync + 'static,
    {
        let mut receiver = Self::new(half, &mut request.opening, Restart::never());
        receiver.replay = Some(Box::new(request));
        receiver
    }

    pub(crate) fn bidi(half: RecvHalf<T>, opening: &mut Opening<'_>) -> Self {
        let restart = Restart::new(opening);
        Self::new(half, opening, restart)
    }

    fn new(half: RecvHalf<T>, opening: &mut Opening<'_>, restart: Restart) -> Self {
        let path = opening.method.path;
        Self {
            half,
            expiry: opening.expiry.again(),
            path,
            span: CallSpan::new(path),
            received: 0,
            yielded_end: false,
            replay: None,
            replaying: false,
            restart,
            failure: None,
            told: None,
            ends: opening.hand_over(),
        }
    }

    /// Those who see the end of the call before its caller does.
    pub(crate) fn ends(&mut self) -> &mut Ends {
        let path = self.path;
        self.ends.get_or_insert_with(|| Box::new(Ends::new(path)))
    }

    /// Takes the next message; `None` only after the server ended the call with OK.
    ///
    /// Shape: one decoded `T`, in send order. Units: the size limit counts the message's bytes.
    /// Errors: the server's status; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED for a message over the
    /// limit; what became of the stream. Sticky.
    /// Cancel safe. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
    pub async fn recv(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Waits for the response headers; messages are not touched. A call that failed after them
    /// still has them.
    ///
    /// A server may answer without headers of its own, which leaves them empty.
    /// Errors: why there will be none. Cancel safe.
    pub async fn headers(&mut self) -> Result<&Metadata, Status> {
        if self.half.has_headers() {
            return Ok(self.half.headers());
        }
        if let Err(why) = poll_fn(|cx| self.poll_half(cx, RecvHalf::poll_head)).await {
            self.conclude(Err(why))?;
        }
        Ok(self.half.headers())
    }

    /// The trailers; empty before [`recv`](Self::recv) has given `None`. Those of a failed call
    /// are the metadata of its status.
    #[must_use]
    pub const fn trailers(&self) -> &Metadata {
        self.half.trailers()
    }

    /// Cancels the call; what had arrived is still read, then comes CANCELLED. After the end it
    /// changes nothing.
    pub fn cancel(&mut self) {
        let why = Status::cancelled("cancelled by Receiver::cancel()");
        if self.replaying {
            self.give_up(why);
        } else {
            self.replay = None;
            self.restart.settle();
            self.half.cancel(why);
        }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Status>> {
        if let Some(told) = &self.told {
            return Poll::Ready(told.clone().map(|()| None));
        }
        Poll::Ready(match ready!(self.poll_half(cx, RecvHalf::poll_message)) {
            Ok(Some(message)) => {
                self.received += 1;
                Ok(Some(message))
            }
            Ok(None) => self.conclude(Ok(())).map(|()| None),
            Err(why) => self.conclude(Err(why)).map(|()| None),
        })
    }

    /// The call has ended: shows the end to the interceptors, and gives what they leave of it. The
    /// first end stays.
    fn conclude(&mut self, result: Result<(), Status>) -> Result<(), Status> {
        if let Some(told) = &self.told {
            return told.clone();
        }
        let mut result = result;
        if let Some(mut ends) = self.ends.take() {
            let (headers, trailers) = (self.half.take_headers(), self.half.take_trailers());
            let mut outcome = Outcome::new(result, headers, trailers);
            ends.attempt_ended(outcome.status());
            ends.tell(&mut outcome);
            let (status, headers, trailers) = outcome.into_parts();
            self.half.set_metadata(headers, trailers);
            result = status.map_err(|why| self.expiry.edge(why, self.path));
            ends.call_ended(result.as_ref().map(|&()| ()));
        }
        self.told = Some(result.clone());
        self.span.ended(&result);
        result
    }

    /// Polls the half, bounds it by the deadline, and starts over where the call may be repeated.
    fn poll_half<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl Fn(&mut RecvHalf<T>, &mut Context<'_>) -> Poll<Result<R, Status>>,
    ) -> Poll<Result<R, Status>> {
        // Not only where nothing is there to read: a server that never stops sending would never
        // meet its deadline.
        if !self.half.is_ended() && self.expiry.is_over() {
            let why = self.expired();
            self.give_up(why);
        }
        loop {
            if self.replaying {
                ready!(self.poll_replay(cx));
            }
            if let Some(why) = &self.failure {
                return Poll::Ready(Err(self.expiry.edge(why.clone(), self.path)));
            }
            match poll(&mut self.half, cx) {
                Poll::Pending => {
                    ready!(self.expiry.poll_beside(&self.half, cx));
                    let why = self.expired();
                    self.give_up(why);
                }
                Poll::Ready(Ok(value)) => {
                    self.taken();
                    return Poll::Ready(Ok(value));
                }
                Poll::Ready(Err(why)) => {
                    if was_taken(&why, self.half.has_head()) {
                        self.taken();
                    }
                    match ready!(
                        self.restart
                            .poll(&mut self.half, self.ends.as_mut(), &why, cx)
                    ) {
                        Ok(true) => continue,
                        Ok(false) => {}
                        Err(why) => {
                            self.give_up(why);
                            continue;
                        }
                    }
                    let has_head = self.half.has_head();
                    let replay = self.replay.as_mut();
                    let at = self.half.address();
                    self.replaying = replay.is_some_and(|each| each.may_replay(&why, has_head, at));
                    if self.replaying
                        && let Some(ends) = &mut self.ends
                    {
                        ends.attempt_ended(Err(&why));
                    }
                    if !self.replaying {
                        let why = match self.replay.take() {
                            Some(replay) => replay.failed(why),
                            None => why,
                        };
                        self.half.fail(why.clone());
                        return Poll::Ready(Err(self.expiry.edge(why, self.path)));
                    }
                }
            }
        }
    }

    /// Ready when there is a new half, or the call has failed for good.
    fn poll_replay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(replay) = &mut self.replay {
            match ready!(replay.poll(cx)) {
                Ok(half) => {
                    self.half = half;
                    if let Some(ends) = &mut self.ends {
                        ends.attempt = replay.take_attempt();
                    }
                }
                Err(why) => self.give_up(why),
            }
        }
        self.replaying = false;
        Poll::Ready(())
    }

    fn expired(&self) -> Status {
        let what = match self.received {
            0 => "the first response".to_owned(),
            count => format!("response {} (after {count})", count.saturating_add(1)),
        };
        self.expiry
            .status(Stage::Response, waiting_for(what, &self.half))
    }

    /// The peer took the call: it is not made again, and its connection is of use.
    fn taken(&mut self) {
        self.restart.taken();
        if let Some(replay) = self.replay.take() {
            replay.taken();
        }
    }

    /// Ends the call from this side, for good.
    fn give_up(&mut self, why: Status) {
        self.replay = None;
        self.replaying = false;
        self.restart.settle();
        self.half.fail(why.clone());
        self.failure = Some(why);
    }
}

// Nothing in it is ever pinned.
impl<T> Unpin for Receiver<T> {}

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    /// Ends after the first error.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.yielded_end {
            return Poll::Ready(None);
        }
        let received = ready!(self.poll_recv(cx)).transpose();
        self.yielded_end = !matches!(received, Some(Ok(_)));
        Poll::Ready(received)
    }
}

impl<T: Send + Sync + 'static> Product for Receiver<T> {
    fn on_end(&mut self, end: OnEnd) {
        self.ends().push(end);
    }

    fn measure(&mut self, end: CallEnd) {
        self.ends().call = Some(end);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("method", &self.path)
            .field("received", &self.received)
            .field("ended", &self.told.is_some())
            .finish_non_exhaustive()
    }
}
