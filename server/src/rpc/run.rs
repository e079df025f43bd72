//! The task of one RPC: run the handler, watch what may end it early, answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tracing::Span;
use trunkline_core::protocol::{RequestFields, Subtype};
use trunkline_core::{Codec, Deadline, Method, Stage, Status};
use trunkline_transport::http2::{Finished, RequestBody, ResponseForm, ServerStream};
use trunkline_transport::now;

use super::PANICKED;
use super::answer::Answer;
use super::cancel::{Cause, Children, OnCancel, Watch};
use super::children::Scope;
use super::context::RequestContext;
use super::incoming::{Incoming, MessageLimits, Outcome, Requests};
use super::measured::Measured;
use super::settle::settle;
use crate::compression::RpcCompression;
use crate::handler::Serve;
use crate::router::Route;
use crate::server::{End, Link};

/// One RPC from its head on: what its task owns.
///
/// However the task ends, the RPC is answered and counted once. A panic unwinds through the task
/// (tokio catches it at the task's edge) and drops this on its way: the one answer that has not
/// been given by then is INTERNAL.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(super) context: RequestContext,
    pub(super) answer: Answer,
    body: Option<RequestBody>,
    /// The codec that the client named.
    asked: Option<Subtype>,
    /// The codec and the encoding that the answer names.
    form: ResponseForm,
    compression: RpcCompression,
    limits: MessageLimits,
    measured: Option<Box<Measured>>,
    /// `Stopped` until it ends otherwise: a runtime that goes away drops the task as it stands.
    end: End,
    /// The handler panicked beneath interceptors.
    panicked: bool,
    pub(super) on_cancel: OnCancel,
    /// Why the client is gone, if the handler ran on.
    pub(super) given_up: Option<Status>,
}

impl Rpc {
    pub(crate) fn new(
        route: &Route,
        stream: ServerStream,
        fields: RequestFields,
        deadline: Option<Deadline>,
        link: Arc<Link>,
    ) -> Self {
        let (body, responder) = stream.into_parts();
        let compression = link.compression().of(&fields);
        let RequestFields {
            metadata,
            subtype,
            user_agent,
            ..
        } = fields;
        link.counters().rpc_started();
        let method = route.handler.descriptor();
        let (receive_bytes, send_bytes) = route.limits.within(link.limits());
        let context = RequestContext::new(method, metadata, user_agent, deadline, link);
        Self {
            measured: Measured::begin(&context),
            context,
            answer: Answer::Unary(responder),
            body: Some(body),
            asked: subtype,
            form: ResponseForm::default(),
            compression,
            limits: MessageLimits {
                receive_bytes,
                send_bytes,
            },
            end: End::Stopped,
            panicked: false,
            on_cancel: route.on_cancel,
            given_up: None,
        }
    }

    /// Chooses the codec and puts the requests within the handler's reach.
    ///
    /// Errors: nobody here speaks the codec that the client named.
    pub(super) fn open<M: Method>(&mut self) -> Result<Incoming<M>, Status> {
        let codec = match self.asked.take() {
            None => M::Codec::default(),
            Some(asked) => M::Codec::for_subtype(asked.as_str())
                .ok_or_else(|| unknown_subtype::<M>(asked.as_str()))?,
        };
        let compression = std::mem::take(&mut self.compression);
        let encoding = compression.compress.as_ref();
        self.form = ResponseForm {
            subtype: codec.subtype(),
            encoding: encoding.map(|each| each.encoding().clone()),
        };
        let unopened = || Status::internal("the call was opened twice");
        let body = self.body.take().ok_or_else(unopened)?;
        let shape = M::DESCRIPTOR.shape;
        let requests = if shape.client_streams() || shape.server_streams() {
            let stream = self.answer.share(body, self.form.clone());
            Requests::Shared(stream.ok_or_else(unopened)?)
        } else {
            Requests::Body(body)
        };
        let hooks = self.measured.as_deref().map(Measured::hooks);
        Ok(Incoming::new(
            requests,
            codec,
            self.limits,
            compression,
            hooks,
        ))
    }

    /// The handler has returned.
    pub(super) fn finish(&mut self, mut outcome: Outcome) {
        if let Some(status) = self.given_up.take() {
            return self.unheard(&status);
        }
        if let Err(status) = outcome.0 {
            if let Some(cause) = self.reset() {
                return self.cut(cause);
            }
            outcome = settle(status, self.context.method().path).into();
        }
        self.end = End::Completed;
        self.answer(outcome);
    }

    /// The handler panicked beneath interceptors, which say how the RPC ends.
    pub(super) const fn panicked(&mut self) {
        self.panicked = true;
    }

    /// Answers with what the handler said.
    fn answer(&mut self, outcome: Outcome) {
        if self.answer.is_given() {
            // Its client was gone before.
            if let Err(status) = &outcome.0 {
                self.measure_cut(status, None);
            }
            return;
        }
        if let Some(measured) = &mut self.measured {
            measured.answered(&outcome, &self.answer);
        }
        self.answer.finish(outcome, &self.form);
    }

    /// Those who measure learn of an end that is not answered as others are.
    fn measure_cut(&mut self, status: &Status, told: Option<Finished>) {
        if let Some(measured) = &mut self.measured {
            measured.cut(status, told);
        }
    }

    /// The handler has run to completion, for a client that was gone.
    fn unheard(&mut self, status: &Status) {
        tracing::debug!(
            method = self.context.method().path,
            "handler ran to completion after its client was gone"
        );
        self.end = self.gone();
        self.context.link().counters().rpc_ran_on();
        self.measure_cut(status, None);
    }

    /// The end of an RPC whose client is gone.
    fn gone(&self) -> End {
        // Both clocks watch the deadline; whose was looked at first says nothing.
        let deadline = self.context.deadline();
        if deadline.is_some_and(|each| each.is_expired(now())) {
            End::DeadlineExceeded
        } else {
            End::Cancelled
        }
    }

    /// Whether the client is gone. A handler or a child that failed because of it did not fail by
    /// itself: it was cancelled.
    fn reset(&mut self) -> Option<Cause> {
        match self
            .answer
            .poll_reset(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(status) => Some(Cause::Reset(status)),
            Poll::Pending => None,
        }
    }

    /// The handler was dropped.
    pub(super) fn cut(&mut self, cause: Cause) {
        if let (Cause::Child(_), Some(status)) = (&cause, self.given_up.take()) {
            return self.unheard(&status);
        }
        let cause = match cause {
            Cause::Child(status) => self.reset().unwrap_or(Cause::Child(status)),
            cause => cause,
        };
        let cause = match cause {
            Cause::Child(status) => Cause::Child(settle(status, self.context.method().path)),
            cause => cause,
        };
        let method = self.context.method().path;
        if let Some(scope) = self.context.scope() {
            scope.abort();
        }
        let status = cause.status().with_method(method);
        match cause {
            Cause::Reset(_) => {
                tracing::debug!(method, %status, "RPC cancelled by its client");
                self.end = self.gone();
                self.measure_cut(&status, None);
                self.answer.forget(&status);
            }
            Cause::Deadline => {
                tracing::debug!(method, "RPC ended by its deadline");
                self.end = End::DeadlineExceeded;
                // Behind what waits: a client that reads is told, however full its window is now.
                self.answer(Outcome::from(status));
            }
            Cause::Stop(why) => {
                tracing::debug!(method, why, "RPC ended by this side");
                self.end = End::Stopped;
                let told = self.answer.cut(&status);
                self.context.link().counters().rpc_stopped(told);
                self.measure_cut(&status, Some(told));
            }
            Cause::Child(_) => {
                self.end = End::Completed;
                self.answer(Outcome::from(status));
            }
            Cause::ChildPanic => {
                tracing::error!(method, "a task spawned by the handler panicked");
                self.end = End::Panicked;
                self.answer(Outcome::from(status));
            }
        }
    }

    /// The span of the handler, if anybody listens: in a box, because mostly nobody does.
    pub(super) fn span(&self) -> Option<Box<Span>> {
        let method = self.context.method().path;
        // Evaluates nothing, and costs one load, where nobody listens.
        let span = tracing::debug_span!("rpc", method, peer = %self.context.peer().address());
        (!span.is_none()).then(|| Box::new(span))
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        if panicking || !self.answer.is_given() {
            let method = self.context.method().path;
            let status = if panicking {
                tracing::error!(method, "handler panicked");
                self.end = End::Panicked;
                Status::internal(PANICKED)
            } else {
                Status::unavailable("the server dropped the call")
            };
            let status = status.with_stage(Stage::Handler).with_method(method);
            self.answer(Outcome::from(status));
        }
        if self.panicked {
            self.end = End::Panicked;
        }
        // Whoever waits for the count finds that the end was told.
        self.measured = None;
        self.context.link().rpc_ended(self.end);
    }
}

/// The task of one RPC of method `M`.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would hold its arguments twice: as they came and as they are used"
)]
pub(crate) fn run<M, S>(service: Arc<S>, mut rpc: Rpc) -> impl Future<Output = ()> + Send
where
    M: Serve<S>,
    S: Send + Sync + 'static,
{
    async move {
        let incoming = match rpc.open::<M>() {
            Ok(incoming) => incoming,
            Err(status) => return rpc.finish(Outcome::from(status)),
        };
        let span = rpc.span();
        let (ended, given_up) = {
            let (context, answer) = (&rpc.context, &mut rpc.answer);
            let watch = Watch::new(context, answer, rpc.on_cancel, Children::Watched);
            let mut watch = pin!(watch);
            let serve = pin!({
                let _entered = span.as_deref().map(Span::enter);
                M::serve(&service, context, incoming)
            });
            let ended = served(serve, watch.as_mut(), span.as_deref()).await;
            (ended, watch.given_up())
        };
        rpc.given_up = given_up;
        match ended {
            Ok(outcome) => rpc.finish(outcome),
            Err(cause) => rpc.cut(cause),
        }
    }
}

/// Runs the handler, and waits for its children if it is content; or until the RPC must end.
///
/// No `async fn`, which would hold all of these twice in the RPC's task.
#[inline]
fn served<'a, 'w, F: Future<Output = Outcome>>(
    mut serve: Pin<&'a mut F>,
    mut watch: Pin<&'a mut Watch<'w>>,
    span: Option<&'a Span>,
) -> impl Future<Output = Result<Outcome, Cause>> + use<'a, 'w, F> {
    // In a box: few handlers have children, and each task would have the place.
    let mut content: Option<Box<Outcome>> = None;
    poll_fn(move |cx| {
        let outcome = match content.take() {
            Some(outcome) => outcome,
            None => match ready!(poll_watched(serve.as_mut(), watch.as_mut(), span, cx)) {
                Ok(outcome) if outcome.0.is_ok() && watch.context().scope().is_some() => {
                    Box::new(outcome)
                }
                ended => return Poll::Ready(ended),
            },
        };
        match watch.as_mut().poll_children(cx) {
            Poll::Ready(done) => Poll::Ready(done.map(|()| *outcome)),
            Poll::Pending => {
                content = Some(outcome);
                Poll::Pending
            }
        }
    })
}

/// Runs the handler, or what surrounds it, until it is done or must end.
#[inline]
pub(super) fn poll_watched<F: Future>(
    mut serve: Pin<&mut F>,
    mut watch: Pin<&mut Watch<'_>>,
    span: Option<&Span>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Cause>> {
    let _entered = span.map(Span::enter);
    // The handler first: most are done at once, and then there is nothing to watch.
    if let Poll::Ready(outcome) = serve.as_mut().poll(cx) {
        return Poll::Ready(Ok(outcome));
    }
    let cause = ready!(watch.as_mut().poll_cause(cx));
    if watch.context().scope().is_some_and(Scope::cancel) {
        // Those who wait in `cancelled()` get one turn before they are dropped.
        let _late = serve.as_mut().poll(cx);
    }
    Poll::Ready(Err(cause))
}

fn unknown_subtype<M: Method>(asked: &str) -> Status {
    /// Its start, because the client chooses how long it is. Units: characters, which are bytes here.
    const SHOWN: usize = 100;
    let known = M::Codec::default().subtype();
    let (start, more) = match asked.split_at_checked(SHOWN) {
        Some((start, rest)) if !rest.is_empty() => (start, "..."),
        _ => (asked, ""),
    };
    let text = format!("unknown content subtype {start:?}{more}: this method speaks {known:?}");
    Status::unimplemented(text).with_stage(Stage::Request)
}
