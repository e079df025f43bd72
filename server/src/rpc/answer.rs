//! The one place from which an RPC is answered.

use std::task::{Context, Poll};

use trunkline_core::Status;
use trunkline_transport::http2::{Finished, RequestBody, Responder, ResponseForm, SharedStream};

use super::incoming::{Outcome, Success};

/// The send side of an RPC's stream, owned by its runner and nobody else.
#[derive(Debug)]
pub(super) enum Answer {
    /// One message to come; nobody else knows the stream.
    Unary(Responder),
    /// The halves of the RPC send and receive on it too.
    Shared(SharedStream),
    /// The RPC is answered.
    Given,
}

impl Answer {
    /// Makes the stream usable by halves beside the runner.
    pub(super) fn share(&mut self, body: RequestBody, form: ResponseForm) -> Option<SharedStream> {
        let responder = match std::mem::replace(self, Self::Given) {
            Self::Unary(responder) => responder,
            other => {
                *self = other;
                return None;
            }
        };
        let stream = responder.share(body, form);
        *self = Self::Shared(stream.clone());
        Some(stream)
    }

    pub(super) const fn is_given(&self) -> bool {
        matches!(self, Self::Given)
    }

    /// The stream, if halves may send and receive on it.
    pub(super) fn shared(&self) -> Option<SharedStream> {
        match self {
            Self::Shared(stream) => Some(stream.clone()),
            Self::Unary(_) | Self::Given => None,
        }
    }

    /// Ready when nobody waits for the answer any more.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match self {
            Self::Unary(responder) => responder.poll_reset(cx),
            Self::Shared(stream) => stream.poll_reset(cx),
            Self::Given => Poll::Pending,
        }
    }

    /// What the handler said. Messages that were sent before go out before.
    pub(super) fn finish(&mut self, outcome: Outcome, form: &ResponseForm) {
        match (std::mem::replace(self, Self::Given), outcome.0) {
            (Self::Unary(responder), Ok(Success::Message(reply))) => {
                responder.reply(form, &reply.headers, reply.frame, &reply.trailers);
            }
            (Self::Unary(responder), Ok(Success::Streamed(_))) => {
                responder.fail(&Status::internal(
                    "the handler answered a unary call as a stream",
                ));
            }
            (Self::Unary(responder), Err(status)) => responder.fail(&status),
            (Self::Shared(stream), Ok(Success::Message(reply))) => {
                stream.reply(reply.headers, reply.frame, &reply.trailers);
            }
            (Self::Shared(stream), Ok(Success::Streamed(trailers))) => stream.finish(Ok(&trailers)),
            (Self::Shared(stream), Err(status)) => stream.finish(Err(&status)),
            (Self::Given, _) => {}
        }
    }

    /// Ends the RPC with this status at once, without waiting for the client to read: its connection
    /// is about to close.
    pub(super) fn cut(&mut self, status: &Status) -> Finished {
        match std::mem::replace(self, Self::Given) {
            Self::Unary(responder) => {
                responder.fail(status);
                Finished::Trailers
            }
            Self::Shared(stream) => stream.finish_last(status),
            // Its client was gone before.
            Self::Given => Finished::Reset,
        }
    }

    /// Forgets the stream, which the client has reset. Halves that still live fail.
    pub(super) fn forget(&mut self, status: &Status) {
        if let Self::Shared(stream) = std::mem::replace(self, Self::Given) {
            stream.finish_now(status);
        }
    }
}
