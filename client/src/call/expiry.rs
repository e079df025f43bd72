//! The deadline of one call, and the text of its error.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use trunkline_core::{Code, Deadline, Origin, Stage, Status};
use trunkline_transport::{Timer, now};

use crate::channel::no_runtime;

/// Watches a deadline; costs nothing until somebody has to wait.
#[derive(Debug)]
pub(crate) struct Expiry {
    timer: Timer,
    /// The whole span of the call, for the text.
    span: Duration,
    registered: bool,
    outside_runtime: bool,
}

impl Expiry {
    pub(crate) const fn never() -> Self {
        Self::new(None, Duration::ZERO)
    }

    pub(crate) const fn new(deadline: Option<Deadline>, span: Duration) -> Self {
        Self {
            timer: Timer::new(deadline),
            span,
            registered: false,
            outside_runtime: false,
        }
    }

    /// The same deadline, to be watched from another task.
    pub(crate) const fn again(&self) -> Self {
        Self::new(self.timer.deadline(), self.span)
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.timer.deadline().is_some()
    }

    /// What is left now; `None` without a deadline.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = self.timer.deadline()?;
        Some(deadline.remaining(now()))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_some() {
            return Poll::Pending;
        }
        if !self.registered {
            self.registered = true;
            self.outside_runtime = Handle::try_current().is_err();
        }
        if self.outside_runtime {
            return Poll::Ready(());
        }
        self.timer.poll_expired(cx)
    }

    /// Awaits `future`, but not beyond the deadline; `None` once that has passed.
    pub(crate) async fn bound<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(cx).map(|()| None),
        })
        .await
    }

    /// The error of a call whose deadline has passed while `doing`.
    pub(crate) fn status(&self, stage: Stage, doing: impl fmt::Display) -> Status {
        if self.outside_runtime {
            return no_runtime();
        }
        let span = self.span;
        Status::new(
            Code::DeadlineExceeded,
            format!("no answer within {span:?}: {doing}"),
        )
        .with_stage(stage)
    }

    /// A status on its way to the caller: names the method, and is what the deadline makes of it.
    ///
    /// A peer or proxy that enforces the same deadline may cancel the stream a moment before our
    /// own timer fires; the caller set a deadline and cancelled nothing.
    pub(crate) fn edge(&self, status: Status, path: &'static str) -> Status {
        let foreign_cancel = status.code() == Code::Cancelled && status.origin() != Origin::Local;
        if foreign_cancel && self.is_over() {
            let text = format!("cancelled at the other end ({})", status.message());
            return self.status(Stage::Response, text).with_method(path);
        }
        status.with_method(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_runtime_it_fails_and_does_not_panic() {
        let deadline = Deadline::after(now(), Duration::from_secs(60));
        let mut expiry = Expiry::new(Some(deadline), Duration::from_secs(60));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(expiry.poll(&mut cx).is_ready());
        let status = expiry.status(Stage::Response, "waiting");
        assert!(
            status.message().contains("outside of a tokio runtime"),
            "{status}"
        );
        assert!(Expiry::never().poll(&mut cx).is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_from_the_peer_after_the_deadline_is_the_deadline() {
        let span = Duration::from_secs(1);
        let expiry = Expiry::new(Some(Deadline::after(now(), span)), span);
        let peer = || Status::cancelled("reset").with_origin(Origin::Peer);
        assert_eq!(expiry.edge(peer(), "/a/B").code(), Code::Cancelled);
        tokio::time::advance(span).await;
        let status = expiry.edge(peer(), "/a/B");
        assert_eq!(
            status.to_string(),
            "DEADLINE_EXCEEDED: /a/B: response: no answer within 1s: cancelled at the other end (reset)"
        );
        let own = expiry.edge(Status::cancelled("by us"), "/a/B");
        assert_eq!(
            own.code(),
            Code::Cancelled,
            "what we cancelled ourselves stays so"
        );
    }
}
