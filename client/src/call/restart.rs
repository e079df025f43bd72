//! Streaming calls that go out once more: their halves are with the caller already, so they are put
//! on another stream.

use std::fmt;
use std::task::{Context, Poll, ready};

use trunkline_core::Status;
use trunkline_transport::stream::RecvHalf;

use super::opening::Opening;
use crate::interceptor::Ends;

/// Finds another stream for a call that was surely not processed. Once: the half knows.
pub(crate) struct Restart(Option<Box<Opening<'static>>>);

impl Restart {
    pub(crate) fn new(opening: &Opening<'_>) -> Self {
        Self(Some(Box::new(opening.again())))
    }

    /// For a call that keeps its request and is sent again as a whole.
    pub(crate) const fn never() -> Self {
        Self(None)
    }

    /// The peer took the call: lets go of the channel.
    pub(crate) fn taken(&mut self) {
        if let Some(opening) = self.0.take() {
            opening.taken();
        }
    }

    /// The call has ended: lets go of the channel.
    pub(crate) fn settle(&mut self) {
        self.0 = None;
    }

    /// Called when the half has failed. True: it is on another stream, poll it again. False: the
    /// failure stands. `failed` is why, for `ends`.
    ///
    /// Errors: why there is no other stream, which is then how the call has ended.
    pub(crate) fn poll<T>(
        &mut self,
        half: &mut RecvHalf<T>,
        ends: Option<&mut Box<Ends>>,
        failed: &Status,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Status>> {
        let may = |opening: &&mut Box<Opening<'static>>| half.may_restart() && opening.may_repeat();
        let Some(opening) = self.0.as_mut().filter(may) else {
            self.0 = None;
            return Poll::Ready(Ok(false));
        };
        // Told once, however often this is polled.
        let mut ends = ends;
        if let Some(ends) = &mut ends {
            ends.attempt_ended(Err(failed));
        }
        let opened = ready!(opening.poll(cx, |start| {
            half.restart(start.connection, start.permit, &start.head)
        }));
        let method = opening.method.path;
        if let (Some(ends), Some(watch)) = (ends, opening.watch()) {
            ends.attempt = watch.take_attempt();
        }
        self.0 = None;
        Poll::Ready(match opened {
            Ok(()) => {
                tracing::debug!(method, "not processed, sending it again on another stream");
                Ok(true)
            }
            Err(why) => {
                half.fail(why.clone());
                Err(why)
            }
        })
    }
}

impl fmt::Debug for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Restart").field(&self.0.is_some()).finish()
    }
}
