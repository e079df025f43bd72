//! What watches one call: those who measure, and the hooks on its messages.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use trunkline_core::stats::{CallEvent, CallStats, MessageSize, Side};
use trunkline_core::{Deadline, Metadata, MethodDescriptor, Status};
use trunkline_transport::stream::MessageHooks;
use trunkline_transport::{Peer, now};

use crate::channel::Shared;
use crate::interceptor::{Ends, SharedHook};

/// Those who measure one call, as all that carries it on shares them.
pub(crate) struct Measured {
    stats: CallStats,
    attempts: AtomicU32,
}

/// Tells how the call ended, once: if it is dropped first, CANCELLED.
pub(crate) struct CallEnd(Option<Arc<Measured>>);

impl CallEnd {
    /// Tells that the call begins; `None` if nobody measures.
    pub(crate) fn begin(
        shared: &Shared,
        method: &'static MethodDescriptor,
        deadline: Option<Deadline>,
    ) -> Option<Self> {
        let handlers = &shared.config.stats;
        let stats = handlers.begin_call(Side::Client, method, None, deadline, now)?;
        let attempts = AtomicU32::new(0);
        Some(Self(Some(Arc::new(Measured { stats, attempts }))))
    }

    pub(crate) fn measured(&self) -> Option<Arc<Measured>> {
        self.0.clone()
    }

    pub(crate) fn tell(mut self, outcome: Result<(), &Status>) {
        if let Some(measured) = self.0.take() {
            measured.stats.end(outcome, now());
        }
    }
}

impl Drop for CallEnd {
    fn drop(&mut self) {
        if let Some(measured) = self.0.take() {
            let why = dropped().with_method(measured.stats.info().method.path);
            measured.stats.end(Err(&why), now());
        }
    }
}

/// One attempt, as those who measure know it; it ends once.
pub(crate) struct AttemptEnd(Option<(CallStats, Instant)>);

impl AttemptEnd {
    pub(crate) fn tell(mut self, outcome: Result<(), &Status>) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Result<(), &Status>) {
        if let Some((stats, began)) = self.0.take() {
            let at = now();
            let elapsed = at.saturating_duration_since(began);
            stats.tell(&CallEvent::AttemptEnd { outcome, elapsed }, at);
        }
    }
}

impl Drop for AttemptEnd {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.end(Err(&dropped()));
        }
    }
}

fn dropped() -> Status {
    Status::cancelled("the call was dropped before its end")
}

/// What watches a call while its streams are opened.
pub(crate) struct Watch {
    attempt: Option<AttemptEnd>,
    /// That of a call without interceptors, until whoever reads its answer has it. Dropped after
    /// the attempt, whose end comes first.
    end: Option<CallEnd>,
    measured: Option<Arc<Measured>>,
    hooks: MessageHooks,
    /// A stream was started already: the next one is a repetition that counts for nothing.
    repeats: bool,
}

impl Watch {
    /// A call without interceptors begins; `None` if nobody measures.
    pub(crate) fn begin(
        shared: &Shared,
        method: &'static MethodDescriptor,
        deadline: Option<Deadline>,
    ) -> Option<Box<Self>> {
        let end = CallEnd::begin(shared, method, deadline)?;
        let measured = end.measured();
        Some(Box::new(Self::new(Some(end), measured, &[])))
    }

    /// A call beneath the interceptors, which has begun in front of them.
    pub(crate) fn beneath(
        measured: Option<Arc<Measured>>,
        hooks: &[SharedHook],
    ) -> Option<Box<Self>> {
        if measured.is_none() && hooks.is_empty() {
            return None;
        }
        Some(Box::new(Self::new(None, measured, hooks)))
    }

    fn new(end: Option<CallEnd>, measured: Option<Arc<Measured>>, hooks: &[SharedHook]) -> Self {
        let stats = measured.as_ref().map(|measured| measured.stats.clone());
        let all = MessageHooks::new(Side::Client, stats);
        for hook in hooks {
            all.push(Box::new(hook.clone()));
        }
        Self {
            end,
            measured,
            hooks: all,
            attempt: None,
            repeats: false,
        }
    }

    /// The same, for another stream of the call.
    pub(crate) fn again(&self) -> Box<Self> {
        Box::new(Self {
            end: None,
            measured: self.measured.clone(),
            hooks: self.hooks.clone(),
            attempt: None,
            repeats: true,
        })
    }

    pub(crate) const fn hooks(&self) -> &MessageHooks {
        &self.hooks
    }

    /// A stream was started; its head is on its way.
    pub(crate) fn started(&mut self, peer: &Peer, metadata: &Metadata) {
        let transparent = std::mem::replace(&mut self.repeats, true);
        let Some(measured) = &self.measured else {
            return;
        };
        let number = measured.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        self.hooks.set_attempt(number);
        let stats = measured.stats.clone().for_attempt(number);
        let began = now();
        let peer = format_args!("{}", peer.address());
        stats.tell(&CallEvent::AttemptBegin { peer, transparent }, began);
        stats.tell(&CallEvent::HeadersOut { metadata }, began);
        self.attempt = Some(AttemptEnd(Some((stats, began))));
    }

    /// The one message of the request is on its way.
    pub(crate) fn sent(&self, size: MessageSize) {
        self.hooks.sent(size);
    }

    pub(crate) fn attempt_ended(&mut self, outcome: Result<(), &Status>) {
        if let Some(attempt) = self.attempt.take() {
            attempt.tell(outcome);
        }
    }

    pub(crate) const fn take_attempt(&mut self) -> Option<AttemptEnd> {
        self.attempt.take()
    }

    /// The call ended while its stream was still to be opened, or has been read to its end here.
    pub(crate) fn ended(&mut self, outcome: Result<(), &Status>) {
        self.attempt_ended(outcome);
        if let Some(end) = self.end.take() {
            end.tell(outcome);
        }
    }

    /// Whoever reads the answer tells the end.
    pub(crate) fn hand_over(&mut self, path: &'static str) -> Box<Ends> {
        let mut ends = Ends::new(path);
        ends.attempt = self.attempt.take();
        ends.call = self.end.take();
        Box::new(ends)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
