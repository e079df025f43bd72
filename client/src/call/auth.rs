//! The credentials of one call: asked for each connection that it is put on.

use std::task::{Context, Poll, ready};

use http::uri::Authority;
use trunkline_core::{Metadata, MethodDescriptor, Status};
use trunkline_transport::Peer;
use trunkline_transport::credentials::SecurityLevel;

use super::options::Options;
use crate::channel::Shared;
use crate::credentials::{BoxCallCredentials, Question, level};
use crate::exclusive::{BoxFuture, Exclusive};

type Answer = Exclusive<BoxFuture<Result<Metadata, Status>>>;

/// What a call that has credentials does before it starts.
pub(crate) struct Auth {
    /// The channel's, then the call's own.
    all: Vec<BoxCallCredentials>,
    asking: Option<(SecurityLevel, Answer)>,
    /// What they gave for connections of these levels: the whole metadata of the call. One for
    /// each, so that a balancer that alternates between two does not make it ask for ever.
    given: Vec<(SecurityLevel, Metadata)>,
}

impl Auth {
    /// `None` where there are no credentials.
    #[inline]
    pub(crate) fn new(shared: &Shared, options: &Options) -> Option<Box<Self>> {
        let (channel, call) = (&shared.config.call_credentials, options.credentials());
        if channel.is_empty() && call.is_empty() {
            return None;
        }
        Some(Self::both(channel, call))
    }

    #[cold]
    fn both(channel: &[BoxCallCredentials], call: &[BoxCallCredentials]) -> Box<Self> {
        Box::new(Self::of([channel, call].concat()))
    }

    /// The same, for another stream.
    pub(crate) fn again(&self) -> Box<Self> {
        Box::new(Self::of(self.all.clone()))
    }

    const fn of(all: Vec<BoxCallCredentials>) -> Self {
        Self {
            all,
            asking: None,
            given: Vec::new(),
        }
    }

    /// Asks for a connection to this peer.
    ///
    /// Errors: UNAUTHENTICATED where they must not be shown to it.
    pub(crate) fn ask(
        &mut self,
        peer: &Peer,
        method: &'static MethodDescriptor,
        authority: &Authority,
        metadata: &Metadata,
    ) -> Result<(), Status> {
        let question = Question::new(self.all.clone(), method, authority, peer)?;
        let asking = question.ask(metadata.clone());
        self.asking = Some((level(peer), Exclusive::new(Box::pin(asking))));
        Ok(())
    }

    /// Ready when nothing is being asked.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if let Some((level, asking)) = &mut self.asking {
            let (level, answer) = (*level, ready!(asking.poll(cx)));
            self.asking = None;
            self.given.push((level, answer?));
        }
        Poll::Ready(Ok(()))
    }

    /// The metadata to send to this peer, if it was asked for one as good.
    pub(crate) fn given_for(&self, peer: &Peer) -> Option<&Metadata> {
        let level = level(peer);
        let mut given = self.given.iter();
        given.find_map(|(asked, metadata)| (*asked == level).then_some(metadata))
    }

    /// A stream was started, or not: the next one is asked for anew.
    pub(crate) fn used(&mut self) {
        self.given.clear();
    }
}
