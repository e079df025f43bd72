//! The deadline of one call, and the text of its error.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use trunkline_core::{Code, Deadline, Origin, Stage, Status};
use trunkline_transport::stream::RecvHalf;
use trunkline_transport::{Timer, now};

use crate::channel::no_runtime;

/// Which of the deadlines that apply to a call is the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The call's own timeout.
    Timeout,
    /// The timeout that the channel gives to calls that set nothing.
    Channel,
    /// The call's own deadline.
    Deadline,
    /// The deadline of the RPC that the call is part of.
    Inherited,
    /// A deadline that an interceptor set.
    Interceptor,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "the timeout",
            Self::Channel => "the channel's timeout",
            Self::Deadline => "the deadline",
            Self::Inherited => "the inherited deadline",
            Self::Interceptor => "the deadline that an interceptor set",
        })
    }
}

/// Watches a deadline; costs nothing until somebody has to wait.
#[derive(Debug)]
pub(crate) struct Expiry {
    timer: Timer,
    bound: Bound,
    /// From the beginning of the call to its deadline, for the text.
    span: Duration,
    registered: bool,
    outside_runtime: bool,
}

impl Expiry {
    pub(crate) const fn never() -> Self {
        Self::of(None, Bound::Timeout, Duration::ZERO)
    }

    pub(crate) const fn new(deadline: Deadline, bound: Bound, span: Duration) -> Self {
        Self::of(Some(deadline), bound, span)
    }

    const fn of(deadline: Option<Deadline>, bound: Bound, span: Duration) -> Self {
        Self {
            timer: Timer::new(deadline),
            bound,
            span,
            registered: false,
            outside_runtime: false,
        }
    }

    /// The same deadline, to be watched from another task.
    pub(crate) const fn again(&self) -> Self {
        Self::of(self.timer.deadline(), self.bound, self.span)
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        self.timer.deadline()
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.deadline().is_some()
    }

    /// Makes it end at `deadline`, unless it does so earlier already.
    pub(crate) fn shorten(&mut self, deadline: Deadline) {
        let span = match self.deadline() {
            Some(old) if old <= deadline => return,
            // Counted from the beginning of the call, as before.
            Some(old) => {
                let cut = old.instant().saturating_duration_since(deadline.instant());
                self.span.saturating_sub(cut)
            }
            None => deadline.remaining(now()),
        };
        *self = Self::new(deadline, Bound::Interceptor, span);
    }

    /// What is left now; `None` without a deadline.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = self.timer.deadline()?;
        Some(deadline.remaining(now()))
    }

    /// What was left when the call began; `None` without a deadline.
    pub(crate) fn at_first(&self) -> Option<Duration> {
        self.is_some().then_some(self.span)
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

    /// Ready once the deadline has passed, for a task that waits for `half`, which had nothing. Its
    /// connection may watch the deadline, which spares the timer.
    pub(crate) fn poll_beside<T>(&mut self, half: &RecvHalf<T>, cx: &mut Context<'_>) -> Poll<()> {
        match half.has_expired() {
            Some(true) => Poll::Ready(()),
            Some(false) => Poll::Pending,
            None => self.poll(cx),
        }
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
        let (bound, span) = (self.bound, Span(self.span));
        let text = match bound {
            Bound::Timeout => format!("no answer within {span}: {doing}"),
            Bound::Channel | Bound::Interceptor => {
                format!("no answer within {span}, {bound}: {doing}")
            }
            Bound::Deadline | Bound::Inherited => {
                format!("no answer by {bound}, {span} after the call began: {doing}")
            }
        };
        Status::new(Code::DeadlineExceeded, text).with_stage(stage)
    }

    /// A status on its way to the caller: names the method, and is what the deadline makes of it.
    ///
    /// A peer or proxy that enforces the same deadline may cancel the stream a moment before our
    /// own timer fires; the caller set a deadline and cancelled nothing. Or it says itself that the
    /// deadline has passed, and which of the two clocks was faster is nothing to the caller.
    pub(crate) fn edge(&self, status: Status, path: &'static str) -> Status {
        let ended = match status.code() {
            Code::Cancelled => "cancelled",
            Code::DeadlineExceeded => "given up",
            _ => return status.with_method(path),
        };
        if status.origin() == Origin::Local || !self.is_over() {
            return status.with_method(path);
        }
        let said = status.message();
        let why = match said {
            "" => self.status(Stage::Response, format_args!("{ended} at the other end")),
            _ => {
                let doing = format_args!("{ended} at the other end ({said})");
                self.status(Stage::Response, doing)
            }
        };
        why.with_method(path)
            .with_details(status.details().to_vec())
            .with_metadata(status.metadata().clone())
    }
}

/// A span of time as people read it: to the millisecond, below 10 ms to the microsecond.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.0 {
            span if span < Duration::from_millis(10) => Duration::from_micros(1),
            _ => Duration::from_millis(1),
        };
        let nanos = self.0.as_nanos();
        let unit = unit.as_nanos();
        let rounded = (nanos + unit / 2) / unit * unit;
        let rounded = u64::try_from(rounded).map_or(self.0, Duration::from_nanos);
        fmt::Debug::fmt(&rounded, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_runtime_it_fails_and_does_not_panic() {
        let deadline = Deadline::after(now(), Duration::from_secs(60));
        let mut expiry = Expiry::new(deadline, Bound::Timeout, Duration::from_secs(60));
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
    async fn what_the_peer_makes_of_the_deadline_is_the_deadline() {
        let span = Duration::from_secs(1);
        let expiry = Expiry::new(Deadline::after(now(), span), Bound::Timeout, span);
        let cancelled = || Status::cancelled("reset").with_origin(Origin::Peer);
        let late = || {
            let mut status = Status::deadline_exceeded("too slow").with_origin(Origin::Peer);
            status.metadata_mut().insert("spent", "1s").unwrap();
            status.with_details(vec![1])
        };
        assert_eq!(expiry.edge(cancelled(), "/a/B").code(), Code::Cancelled);
        let early = expiry.edge(late(), "/a/B");
        assert_eq!(
            (early.message(), early.origin()),
            ("too slow", Origin::Peer),
            "a limit of the server's own"
        );
        tokio::time::advance(span).await;
        assert_eq!(
            expiry.edge(cancelled(), "/a/B").to_string(),
            "DEADLINE_EXCEEDED: /a/B: response: no answer within 1s: cancelled at the other end (reset)"
        );
        let status = expiry.edge(late(), "/a/B");
        assert_eq!(
            status.to_string(),
            "DEADLINE_EXCEEDED: /a/B: response: no answer within 1s: given up at the other end (too slow)"
        );
        assert_eq!(status.metadata().get("spent"), Some("1s"));
        assert_eq!(status.details(), [1]);
        let mute = Status::deadline_exceeded("").with_origin(Origin::Peer);
        let status = expiry.edge(mute, "/a/B");
        assert!(status.message().ends_with("at the other end"), "{status}");
        for own in [
            Status::cancelled("by us"),
            Status::deadline_exceeded("ours"),
        ] {
            let text = own.message().to_owned();
            let status = expiry.edge(own, "/a/B");
            assert_eq!(status.message(), text, "what we said ourselves stays so");
        }
    }

    #[test]
    fn the_text_says_whose_deadline_it_was() {
        let span = Duration::from_nanos(15_632_704);
        for (bound, text) in [
            (Bound::Timeout, "no answer within 16ms: waiting"),
            (
                Bound::Channel,
                "no answer within 16ms, the channel's timeout: waiting",
            ),
            (
                Bound::Deadline,
                "no answer by the deadline, 16ms after the call began: waiting",
            ),
            (
                Bound::Inherited,
                "no answer by the inherited deadline, 16ms after the call began: waiting",
            ),
        ] {
            let expiry = Expiry::new(Deadline::after(now(), span), bound, span);
            let status = expiry.status(Stage::Response, "waiting");
            assert_eq!(status.message(), text);
        }
    }

    #[test]
    fn spans_are_readable() {
        for (nanos, text) in [
            (0, "0ns"),
            (499, "0ns"),
            (1_500_000, "1.5ms"),
            (2_345_678, "2.346ms"),
            (49_999_990, "50ms"),
            (999_999_999, "1s"),
            (61_234_567_890, "61.235s"),
        ] {
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), text);
        }
        assert!(Span(Duration::MAX).to_string().ends_with('s'));
    }
}
