//! What those who measure are told of one RPC.

use trunkline_core::stats::{CallEvent, CallStats, MessageSize, Side};
use trunkline_core::{Metadata, Status};
use trunkline_transport::http2::Finished;
use trunkline_transport::now;
use trunkline_transport::stream::MessageHooks;

use super::answer::Answer;
use super::context::RequestContext;
use super::incoming::{EncodedReply, Outcome, Success};

/// Flag and length in front of a message.
const PREFIX_BYTES: usize = 5;

/// An RPC that somebody measures. Dropped with the RPC, which is its end, however it comes.
#[derive(Debug)]
pub(super) struct Measured {
    hooks: MessageHooks,
    stats: CallStats,
    failed: Option<Status>,
}

impl Measured {
    /// Tells that the RPC begins; `None` if nobody listens.
    pub(super) fn begin(context: &RequestContext) -> Option<Box<Self>> {
        let (method, deadline) = (context.method(), context.deadline());
        let stats = context.link().begin_call(method, deadline)?;
        let metadata = context.metadata();
        stats.tell(&CallEvent::HeadersIn { metadata }, now());
        Some(Box::new(Self {
            hooks: MessageHooks::new(Side::Server, Some(stats.clone())),
            stats,
            failed: None,
        }))
    }

    /// What tells of the messages that the halves send and receive.
    pub(super) fn hooks(&self) -> MessageHooks {
        self.hooks.clone()
    }

    /// The RPC is about to be answered with this.
    pub(super) fn answered(&mut self, outcome: &Outcome, answer: &Answer) {
        match &outcome.0 {
            Ok(Success::Message(reply)) => self.replied(reply),
            Ok(Success::Streamed(own)) => {
                let mut metadata = set_before(answer);
                metadata.extend(own.clone());
                self.tell_trailers(&metadata);
            }
            Err(status) => {
                let mut metadata = status.metadata().clone();
                metadata.extend(set_before(answer));
                self.tell_trailers(&metadata);
                self.failed = Some(status.clone());
            }
        }
    }

    /// The RPC was cut short like this; `None` if its client had given it up.
    pub(super) fn cut(&mut self, status: &Status, told: Option<Finished>) {
        if let Some(Finished::Trailers) = told {
            self.tell_trailers(status.metadata());
        }
        self.failed = Some(status.clone());
    }

    fn replied(&self, reply: &EncodedReply) {
        let metadata = &reply.headers;
        self.stats.tell(&CallEvent::HeadersOut { metadata }, now());
        let wire_bytes = reply.frame.len().saturating_sub(PREFIX_BYTES);
        self.hooks
            .sent(MessageSize::new(reply.message_bytes, wire_bytes));
        self.tell_trailers(&reply.trailers);
    }

    fn tell_trailers(&self, metadata: &Metadata) {
        self.stats.tell(&CallEvent::TrailersOut { metadata }, now());
    }
}

/// The trailers that a `Sender` has set.
fn set_before(answer: &Answer) -> Metadata {
    let stream = answer.shared();
    stream.map_or_else(Metadata::new, |stream| stream.trailers())
}

impl Drop for Measured {
    fn drop(&mut self) {
        let outcome = self.failed.as_ref().map_or(Ok(()), Err);
        self.stats.end(outcome, now());
    }
}
