//! What ends an RPC before its handler does.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::coop;
use trunkline_core::{Stage, Status};
use trunkline_transport::Timer;

use super::answer::Answer;
use super::context::RequestContext;
use crate::server::{Link, RunsOn};
use crate::signal::Wait;

/// Why a handler was dropped.
#[derive(Debug)]
pub(super) enum Cause {
    /// The client reset the stream, or the connection is gone: nobody reads an answer.
    Reset(Status),
    /// The deadline passed.
    Deadline,
    /// The server stops or the connection is too old, and the grace is over: what clients are told.
    Stop(&'static str),
    /// A child failed.
    Child(Status),
    /// A child panicked.
    ChildPanic,
}

impl Cause {
    /// The status of the RPC.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Reset(status) | Self::Child(status) => status.clone(),
            Self::Deadline => {
                Status::deadline_exceeded("the deadline passed before the handler was done")
                    .with_stage(Stage::Handler)
            }
            Self::Stop(why) => Status::unavailable(*why).with_stage(Stage::Handler),
            Self::ChildPanic => Status::internal(super::PANICKED).with_stage(Stage::Handler),
        }
    }
}

/// What becomes of a handler whose client gives up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum OnCancel {
    /// It is dropped where it waits.
    #[default]
    Drop,
    /// It is told by `cancelled()`, and goes on until it is done, the deadline passes or the
    /// server stops.
    RunToCompletion,
}

/// An RPC whose client is gone and whose handler runs on.
#[derive(Debug)]
struct GivenUp<'a> {
    status: Status,
    _place: RunsOn<'a>,
}

/// Who looks after the children of the RPC.
#[derive(Clone, Copy, Debug)]
pub(super) enum Children {
    Watched,
    /// Who runs the handler beneath interceptors, which are to see how it ends.
    WatchedBelow,
}

pin_project! {
    /// Watches everything but the handler. First polled when the handler has nothing to do: an
    /// RPC that is answered at once registers with no timer, no signal and no stream.
    #[derive(Debug)]
    pub(super) struct Watch<'a> {
        context: &'a RequestContext,
        answer: &'a mut Answer,
        timer: Timer,
        #[pin]
        stop: Wait<'a>,
        children: Children,
        on_cancel: OnCancel,
        given_up: Option<Box<GivenUp<'a>>>,
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        context: &'a RequestContext,
        answer: &'a mut Answer,
        on_cancel: OnCancel,
        children: Children,
    ) -> Self {
        Self {
            context,
            answer,
            timer: Timer::new(context.deadline()),
            stop: context.link().stop().wait(),
            children,
            on_cancel,
            given_up: None,
        }
    }

    /// The RPC that it watches.
    pub(super) const fn context(&self) -> &'a RequestContext {
        self.context
    }

    /// Why the client is gone, if the handler runs to completion all the same.
    pub(super) fn given_up(self: Pin<&mut Self>) -> Option<Status> {
        self.project().given_up.take().map(|gone| gone.status)
    }

    /// Ready when the RPC must end.
    ///
    /// Looks whether or not the handler has left anything of the task's budget, without which
    /// tokio's timers and join sets say nothing: one that uses it up at each turn would never end.
    pub(super) fn poll_cause(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let watching = poll_fn(|cx| self.as_mut().poll_each(cx));
        pin!(coop::unconstrained(watching)).poll(cx)
    }

    fn poll_each(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let mut this = self.project();
        let context = *this.context;
        let link: &Link = context.link();
        if let Poll::Ready(status) = this.answer.poll_reset(cx) {
            let runs_on = match this.on_cancel {
                OnCancel::Drop => None,
                OnCancel::RunToCompletion => link.run_on(),
            };
            let Some(place) = runs_on else {
                return Poll::Ready(Cause::Reset(status));
            };
            let method = context.method().path;
            tracing::debug!(method, %status, "RPC cancelled by its client, its handler runs on");
            // Nothing that it holds of the connection is of use any more.
            this.answer.forget(&status);
            context.scope_or_new().cancel();
            this.stop.set(link.abort().wait());
            *this.given_up = Some(Box::new(GivenUp {
                status,
                _place: place,
            }));
        }
        if this.timer.poll_expired(cx).is_ready() {
            return Poll::Ready(Cause::Deadline);
        }
        if this.stop.poll(cx).is_ready() {
            return Poll::Ready(Cause::Stop(link.why()));
        }
        let scope = match this.children {
            Children::Watched => context.scope(),
            Children::WatchedBelow => None,
        };
        match scope.map(|scope| scope.poll_done(cx)) {
            Some(Poll::Ready(Err(cause))) => Poll::Ready(cause),
            Some(Poll::Ready(Ok(())) | Poll::Pending) | None => Poll::Pending,
        }
    }

    /// Ready when the RPC may end because its children have, or must.
    pub(super) fn poll_children(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Cause>> {
        let context = self.context;
        if let Poll::Ready(cause) = self.poll_cause(cx) {
            return Poll::Ready(Err(cause));
        }
        context
            .scope()
            .map_or(Poll::Ready(Ok(())), |scope| scope.poll_done(cx))
    }
}
