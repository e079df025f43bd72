//! The task of one RPC that interceptors surround.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;
use tokio::task::coop;
use trunkline_core::stats::Side;
use trunkline_core::{Metadata, Method, Stage, Status, Trailers};
use trunkline_transport::http2::SharedStream;
use trunkline_transport::stream::MessageHooks;

use super::PANICKED;
use super::cancel::{Cause, Children, Watch};
use super::children::Scope;
use super::context::RequestContext;
use super::incoming::{EncodedReply, Incoming, Outcome, Success};
use super::run::{Rpc, poll_watched};
use super::settle::own;
use crate::handler::Serve;
use crate::interceptor::{Additions, Chain, Endpoint, Next};

/// The task of one RPC of method `M` with interceptors around it.
///
/// Apart from [`run`](super::run()), so that the task of an RPC without them holds nothing for
/// them.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would hold its arguments twice: as they came and as they are used"
)]
pub(crate) fn run_intercepted<M, S>(
    service: Arc<S>,
    mut rpc: Rpc,
    chain: Chain,
) -> impl Future<Output = ()> + Send
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
        let handed = rpc.context.hand_over();
        let (ended, given_up, kept) = {
            let (context, answer) = (&rpc.context, &mut rpc.answer);
            let service = &service;
            let serve = |cx: RequestContext, incoming| async move {
                M::serve(service, &cx, incoming).await
            };
            let kept = Kept {
                method: M::DESCRIPTOR.path,
                stream: answer.shared(),
                scope: Arc::clone(context.scope_or_new()),
                additions: Additions::default(),
                reply: None,
                panicked: false,
            };
            let watch = Watch::new(context, answer, rpc.on_cancel, Children::WatchedBelow);
            let mut watch = pin!(watch);
            let mut end = pin!(Handler {
                start: Some((serve, incoming)),
                running: None,
                children: None,
                kept,
            });
            let ended = {
                let mut running = pin!(Next::new(&chain, end.as_mut()).run(handed));
                let span = span.as_deref();
                poll_fn(|cx| poll_watched(running.as_mut(), watch.as_mut(), span, cx)).await
            };
            (ended, watch.given_up(), end.kept())
        };
        rpc.given_up = given_up;
        if kept.panicked {
            rpc.panicked();
        }
        match ended {
            Ok(outcome) => {
                let outcome = kept.outcome::<M>(outcome);
                rpc.finish(outcome);
            }
            Err(cause) => rpc.cut(cause),
        }
    }
}

pin_project! {
    /// The handler beneath the interceptors: not started, running, waiting for its children, done.
    struct Handler<Start, Call, F> {
        start: Option<(Start, Call)>,
        #[pin]
        running: Option<F>,
        // What is told once the children are done.
        children: Option<Trailers>,
        kept: Kept,
    }
}

/// What outlives the handler.
struct Kept {
    method: &'static str,
    stream: Option<SharedStream>,
    scope: Arc<Scope>,
    additions: Additions,
    reply: Option<EncodedReply>,
    panicked: bool,
}

impl<M, Start, F> Endpoint for Handler<Start, Incoming<M>, F>
where
    M: Method,
    Start: FnOnce(RequestContext, Incoming<M>) -> F + Send,
    F: Future<Output = Outcome> + Send,
{
    fn additions(self: Pin<&mut Self>) -> &mut Additions {
        &mut self.project().kept.additions
    }

    fn start(self: Pin<&mut Self>, cx: RequestContext) {
        let mut this = self.project();
        if let Some((start, incoming)) = this.start.take() {
            let incoming = this.kept.prepare(incoming);
            this.running.set(Some(start(cx, incoming)));
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Trailers, Status>> {
        let mut this = self.as_mut().project();
        if let Some(running) = this.running.as_mut().as_pin_mut() {
            let polled = catch_unwind(AssertUnwindSafe(|| running.poll(cx)));
            let outcome = match polled {
                Ok(Poll::Pending) => {
                    let Poll::Ready(Err(cause)) = this.kept.poll_children(cx) else {
                        return Poll::Pending;
                    };
                    let status = this.kept.failed(&cause);
                    self.cancel();
                    return Poll::Ready(Err(status));
                }
                Ok(Poll::Ready(outcome)) => outcome,
                Err(_panic) => this.kept.caught(),
            };
            this.running.set(None);
            match this.kept.take(outcome) {
                Ok(trailers) => *this.children = Some(trailers),
                Err(status) => return Poll::Ready(Err(status)),
            }
        }
        if this.children.is_none() {
            let text = "the handler was run before, or was dropped";
            return Poll::Ready(Err(Status::internal(text).with_stage(Stage::Handler)));
        }
        let done = ready!(this.kept.poll_children(cx));
        let trailers = this.children.take().unwrap_or_default();
        Poll::Ready(match done {
            Ok(()) => Ok(trailers),
            Err(cause) => Err(this.kept.failed(&cause)),
        })
    }

    fn cancel(self: Pin<&mut Self>) {
        let mut this = self.project();
        let waited_for = this.kept.scope.cancel();
        if let Some(running) = this.running.as_mut().as_pin_mut()
            && waited_for
            && !std::thread::panicking()
        {
            // Those who wait in `cancelled()` get one turn before they are dropped.
            let mut cx = Context::from_waker(Waker::noop());
            if catch_unwind(AssertUnwindSafe(|| running.poll(&mut cx))).is_err() {
                let _told = this.kept.caught();
            }
        }
        this.running.set(None);
        *this.children = None;
        this.kept.scope.abort();
    }
}

impl<Start, Call, F> Handler<Start, Call, F> {
    /// Drops the handler if it still runs, and gives what is left of it.
    fn kept(self: Pin<&mut Self>) -> Kept {
        let mut this = self.project();
        this.running.set(None);
        Kept {
            method: this.kept.method,
            stream: this.kept.stream.take(),
            scope: Arc::clone(&this.kept.scope),
            additions: std::mem::take(&mut this.kept.additions),
            reply: this.kept.reply.take(),
            panicked: this.kept.panicked,
        }
    }
}

impl Kept {
    /// Applies what the interceptors have added.
    fn prepare<M: Method>(&mut self, incoming: Incoming<M>) -> Incoming<M> {
        if let Some(stream) = &self.stream {
            stream.add_headers(std::mem::take(&mut self.additions.headers));
        }
        if self.additions.hooks.is_empty() {
            return incoming;
        }
        incoming.hooked(|present| {
            let hooks = present.unwrap_or_else(|| MessageHooks::new(Side::Server, None));
            for hook in self.additions.hooks.drain(..) {
                hooks.push(hook);
            }
            hooks
        })
    }

    /// What the interceptors are told of an outcome; the message stays here.
    fn take(&mut self, outcome: Outcome) -> Result<Trailers, Status> {
        match outcome.0 {
            Ok(Success::Message(mut reply)) => {
                let trailers = std::mem::take(&mut reply.trailers);
                self.reply = Some(reply);
                Ok(trailers.into())
            }
            Ok(Success::Streamed(own)) => {
                let mut trailers = self.take_trailers();
                trailers.extend(own);
                Ok(trailers.into())
            }
            Err(status) => {
                self.scope.abort();
                let mut status = own(status);
                status.metadata_mut().extend(self.take_trailers());
                Err(status)
            }
        }
    }

    /// The trailers that a `Sender` has set.
    fn take_trailers(&self) -> Metadata {
        let stream = self.stream.as_ref();
        stream.map_or_else(Metadata::new, SharedStream::take_trailers)
    }

    /// The handler panicked.
    fn caught(&mut self) -> Outcome {
        tracing::error!(method = self.method, "handler panicked");
        self.panicked = true;
        Outcome::from(Status::internal(PANICKED).with_stage(Stage::Handler))
    }

    /// A child has ended the RPC.
    fn failed(&mut self, cause: &Cause) -> Status {
        if matches!(cause, Cause::ChildPanic) {
            tracing::error!(
                method = self.method,
                "a task spawned by the handler panicked"
            );
            self.panicked = true;
        }
        self.scope.abort();
        let mut status = own(cause.status());
        status.metadata_mut().extend(self.take_trailers());
        status
    }

    /// Ready when no child runs any more, or when one has failed. Looks whatever is left of the
    /// task's budget, as [`Watch`] does.
    fn poll_children(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        let looking = poll_fn(|cx| self.scope.poll_done(cx));
        pin!(coop::unconstrained(looking)).poll(cx)
    }

    /// The outcome of the RPC, of what the interceptors return.
    fn outcome<M: Method>(self, returned: Result<Trailers, Status>) -> Outcome {
        let headers = match &self.stream {
            Some(stream) => {
                stream.add_headers(self.additions.headers);
                Metadata::new()
            }
            None => self.additions.headers,
        };
        let trailers = match returned.map_err(own) {
            Ok(trailers) => trailers.into_metadata(),
            Err(status) if headers.is_empty() => return Outcome::from(status),
            Err(mut status) => {
                let own = std::mem::replace(status.metadata_mut(), headers);
                status.metadata_mut().extend(own);
                return Outcome::from(status);
            }
        };
        if M::DESCRIPTOR.shape.server_streams() {
            return Outcome(Ok(Success::Streamed(trailers)));
        }
        let Some(mut reply) = self.reply else {
            let text = "an interceptor returned OK for an RPC that has no response";
            return Outcome::from(Status::internal(text).with_stage(Stage::Handler));
        };
        let own = std::mem::replace(&mut reply.headers, headers);
        reply.headers.extend(own);
        reply.trailers = trailers;
        Outcome(Ok(Success::Message(reply)))
    }
}
