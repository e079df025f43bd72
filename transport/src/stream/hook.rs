//! Code of users that looks at the messages of an RPC, and the sizes that are told for them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use trunkline_core::Status;
use trunkline_core::stats::{CallEvent, CallStats, MessageSize, Side};

use crate::now;
use crate::sync::Mutex;

/// Looks at the messages of one RPC as they pass: to validate, to redact, to count.
///
/// A message is what the handler or the caller has in hand, so `downcast_ref` and `downcast_mut`
/// give the typed message. Both directions of an RPC share one hook; it is called where the
/// message is sent or received, so it must be quick and not block.
/// ```
/// use std::any::Any;
/// use trunkline_core::Status;
/// use trunkline_transport::stream::MessageHook;
///
/// struct NonEmpty;
///
/// impl MessageHook for NonEmpty {
///     fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
///         match message.downcast_ref::<String>() {
///             Some(text) if text.is_empty() => Err(Status::invalid_argument("empty text")),
///             _ => Ok(()),
///         }
///     }
/// }
/// assert!(NonEmpty.received(&mut String::new()).is_err());
/// assert!(NonEmpty.sending(&1_u32).is_ok());
/// ```
pub trait MessageHook: Send + 'static {
    /// A message came, and nobody has seen it yet; it may be changed.
    ///
    /// Errors: the message is refused. Whoever receives it gets this status instead, and nothing
    /// after it.
    fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
        let _ = message;
        Ok(())
    }

    /// A message is about to be encoded and sent.
    ///
    /// Errors: it is not sent, and whoever sends it gets this status. A stream may go on.
    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        let _ = message;
        Ok(())
    }
}

/// All that looks at the messages of one RPC: hooks, and those who measure. Shared by what sends
/// and what receives, and cheap to clone.
///
/// The order is that of layers around the code that calls or answers: on a server hooks see a
/// request in the order in which they were added and a response in the opposite one, on a client
/// the other way round.
#[derive(Clone)]
pub struct MessageHooks(Arc<Inner>);

struct Inner {
    side: Side,
    hooks: Mutex<Vec<Box<dyn MessageHook>>>,
    stats: Option<CallStats>,
    /// Client: the attempt that what is told now belongs to.
    attempt: AtomicU32,
}

impl MessageHooks {
    /// No hooks yet, and those who measure, if anybody does.
    #[must_use]
    pub fn new(side: Side, stats: Option<CallStats>) -> Self {
        Self(Arc::new(Inner {
            side,
            hooks: Mutex::new(Vec::new()),
            stats,
            attempt: AtomicU32::new(0),
        }))
    }

    /// Adds a hook; it sees the messages from now on.
    pub fn push(&self, hook: Box<dyn MessageHook>) {
        self.0.hooks.lock().push(hook);
    }

    /// Client: what is told from now on belongs to this attempt, counted from 1.
    pub fn set_attempt(&self, number: u32) {
        self.0.attempt.store(number, Ordering::Relaxed);
    }

    /// Those who measure, if anybody does.
    #[must_use]
    pub fn stats(&self) -> Option<&CallStats> {
        self.0.stats.as_ref()
    }

    /// Shows a message to every hook before it is encoded.
    ///
    /// # Errors
    /// The first hook's that refuses it.
    pub fn sending(&self, message: &dyn Any) -> Result<(), Status> {
        let outermost_first = self.0.side == Side::Client;
        self.each(outermost_first, |hook| hook.sending(message))
    }

    /// Shows a message to every hook after it was decoded.
    ///
    /// # Errors
    /// The first hook's that refuses it.
    pub fn received(&self, message: &mut dyn Any) -> Result<(), Status> {
        let outermost_first = self.0.side == Side::Server;
        self.each(outermost_first, |hook| hook.received(message))
    }

    /// Tells how large a message was that was handed to the connection.
    pub fn sent(&self, size: MessageSize) {
        self.tell(&CallEvent::MessageOut(size));
    }

    /// Tells how large a message is that came.
    pub fn arrived(&self, size: MessageSize) {
        self.tell(&CallEvent::MessageIn(size));
    }

    /// Tells those who measure, if anybody does.
    pub fn tell(&self, event: &CallEvent<'_>) {
        if let Some(stats) = &self.0.stats {
            let attempt = self.0.attempt.load(Ordering::Relaxed);
            stats.clone().for_attempt(attempt).tell(event, now());
        }
    }

    fn each(
        &self,
        in_order: bool,
        mut show: impl FnMut(&mut dyn MessageHook) -> Result<(), Status>,
    ) -> Result<(), Status> {
        let mut hooks = self.0.hooks.lock();
        if in_order {
            hooks.iter_mut().try_for_each(|hook| show(hook.as_mut()))
        } else {
            let mut hooks = hooks.iter_mut().rev();
            hooks.try_for_each(|hook| show(hook.as_mut()))
        }
    }
}

impl fmt::Debug for MessageHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageHooks")
            .field("side", &self.0.side)
            .field("hooks", &self.0.hooks.lock().len())
            .field("stats", &self.0.stats)
            .finish()
    }
}

/// The hooks as a half of `T`s holds them: only here is it said that a `T` can be looked into.
pub(super) struct Tap<T> {
    pub(super) hooks: MessageHooks,
    as_any: fn(&T) -> &dyn Any,
    as_any_mut: fn(&mut T) -> &mut dyn Any,
    /// Server, sending: those who measure were told of the headers.
    pub(super) told_headers: bool,
}

impl<T: 'static> Tap<T> {
    pub(super) fn new(hooks: MessageHooks) -> Box<Self> {
        Box::new(Self {
            hooks,
            as_any: |message| message,
            as_any_mut: |message| message,
            told_headers: false,
        })
    }
}

impl<T> Tap<T> {
    pub(super) fn sending(&self, message: &T) -> Result<(), Status> {
        self.hooks.sending((self.as_any)(message))
    }

    pub(super) fn received(&self, message: &mut T, size: MessageSize) -> Result<(), Status> {
        self.hooks.arrived(size);
        self.hooks.received((self.as_any_mut)(message))
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::{Arc, Mutex};

    use trunkline_core::Status;
    use trunkline_core::stats::Side;

    use super::{MessageHook, MessageHooks};

    struct Noting(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl MessageHook for Noting {
        fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
            let number = message.downcast_mut::<u32>().unwrap();
            *number += 1;
            self.1.lock().unwrap().push(self.0);
            match number {
                0..10 => Ok(()),
                _ => Err(Status::out_of_range(self.0)),
            }
        }

        fn sending(&mut self, _: &dyn Any) -> Result<(), Status> {
            self.1.lock().unwrap().push(self.0);
            Ok(())
        }
    }

    #[test]
    fn hooks_are_layers_around_the_code_that_calls_or_answers() {
        for (side, in_order, out_order) in [
            (Side::Server, ["outer", "inner"], ["inner", "outer"]),
            (Side::Client, ["inner", "outer"], ["outer", "inner"]),
        ] {
            let notes = Arc::default();
            let hooks = MessageHooks::new(side, None);
            hooks.push(Box::new(Noting("outer", Arc::clone(&notes))));
            hooks.push(Box::new(Noting("inner", Arc::clone(&notes))));
            let mut message = 1_u32;
            hooks.received(&mut message).unwrap();
            assert_eq!(message, 3, "each may change it");
            assert_eq!(std::mem::take(&mut *notes.lock().unwrap()), in_order);
            hooks.sending(&message).unwrap();
            assert_eq!(std::mem::take(&mut *notes.lock().unwrap()), out_order);
            let refused = hooks.received(&mut 9_u32).unwrap_err();
            assert_eq!(refused.message(), in_order[0], "the first one decides");
        }
    }
}
