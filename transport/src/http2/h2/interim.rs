//! The head of a response, behind as few interim ones (1xx) as a server has reason to send.
//!
//! h2 skips interim responses by itself, however many there are, so that a server could keep a call
//! waiting with them, and busy, for ever. Counting them takes h2's lock once more per poll. So it
//! begins only when a call has been polled in vain a few times, as hardly any is, and only for calls
//! without a deadline, which nothing else bounds.

use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::Response;

/// Polls in vain after which interim responses are counted.
const UNSUSPICIOUS: u8 = 8;

/// Interim responses that are counted until a call has had enough of them. Servers send one or two.
pub(super) const MAX_INTERIM: u8 = 100;

/// Where the polls in vain of a call with a deadline stand: it is bounded already.
const NOT_COUNTED: u8 = u8::MAX;

/// What a call has seen of them. It lies in the call's half, where there was room for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Interim {
    in_vain: u8,
    seen: u8,
}

/// Why there will be no response.
#[derive(Debug)]
pub(super) enum NoHead {
    Failed(h2::Error),
    /// More than [`MAX_INTERIM`].
    TooManyInterim,
}

impl Interim {
    /// For a call that ends by its deadline, whatever comes.
    pub(crate) const fn uncounted() -> Self {
        Self {
            in_vain: NOT_COUNTED,
            seen: 0,
        }
    }

    #[inline]
    pub(super) fn poll(
        &mut self,
        response: &mut ResponseFuture,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<RecvStream>, NoHead>> {
        if self.in_vain == UNSUSPICIOUS && self.are_too_many(response, cx) {
            return Poll::Ready(Err(NoHead::TooManyInterim));
        }
        match Pin::new(response).poll(cx) {
            Poll::Ready(response) => Poll::Ready(response.map_err(NoHead::Failed)),
            Poll::Pending => {
                if self.in_vain < UNSUSPICIOUS {
                    self.in_vain += 1;
                }
                Poll::Pending
            }
        }
    }

    #[cold]
    fn are_too_many(&mut self, response: &mut ResponseFuture, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(Some(Ok(_interim))) = response.poll_informational(cx) {
            if self.seen == MAX_INTERIM {
                return true;
            }
            self.seen += 1;
        }
        false
    }
}
