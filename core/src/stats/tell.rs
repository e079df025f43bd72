//! Telling those who listen, if anybody does.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{CallEvent, CallInfo, ConnectionEvent, ConnectionInfo, Side, StatsHandler};
use crate::deadline::Deadline;
use crate::method::MethodDescriptor;
use crate::status::Status;

/// The handlers of one channel or one server. Empty ones cost a null check where they are told.
#[derive(Clone, Default)]
pub struct StatsHandlers(Option<Arc<Listeners>>);

struct Listeners {
    handlers: Vec<Arc<dyn StatsHandler>>,
    next_id: AtomicU64,
}

impl StatsHandlers {
    /// Nobody.
    pub const fn new() -> Self {
        Self(None)
    }

    /// One more. For the time of building: ids are counted from 1 again.
    pub fn add(&mut self, handler: impl StatsHandler) {
        let before = self.0.take();
        let mut handlers = before.map_or_else(Vec::new, |before| before.handlers.clone());
        handlers.push(Arc::new(handler));
        self.0 = Some(Arc::new(Listeners {
            handlers,
            next_id: AtomicU64::new(1),
        }));
    }

    /// Whether there is nobody to tell.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Tells that a call begins; `None`, without a look at the clock, if nobody listens.
    pub fn begin_call(
        &self,
        side: Side,
        method: &'static MethodDescriptor,
        connection: Option<u64>,
        deadline: Option<Deadline>,
        now: impl FnOnce() -> Instant,
    ) -> Option<CallStats> {
        let listeners = Arc::clone(self.0.as_ref()?);
        let began = now();
        let info = CallInfo {
            id: listeners.next_id.fetch_add(1, Ordering::Relaxed),
            side,
            method,
            attempt: 0,
            connection,
            began,
        };
        let stats = CallStats { listeners, info };
        stats.tell(&CallEvent::Begin { deadline }, began);
        Some(stats)
    }

    /// Tells that a connection begins; `None`, without a look at the clock, if nobody listens.
    pub fn begin_connection(
        &self,
        side: Side,
        peer: fmt::Arguments<'_>,
        now: impl FnOnce() -> Instant,
    ) -> Option<ConnectionStats> {
        let listeners = Arc::clone(self.0.as_ref()?);
        let began = now();
        let id = listeners.next_id.fetch_add(1, Ordering::Relaxed);
        let info = ConnectionInfo { id, side, began };
        let stats = ConnectionStats { listeners, info };
        stats.tell(&ConnectionEvent::Begin { peer }, began);
        Some(stats)
    }
}

impl fmt::Debug for StatsHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |all| all.handlers.len());
        f.debug_tuple("StatsHandlers").field(&count).finish()
    }
}

/// Tells about one call. Cheap to clone.
#[derive(Clone)]
pub struct CallStats {
    listeners: Arc<Listeners>,
    info: CallInfo,
}

impl CallStats {
    /// Which call it is.
    pub const fn info(&self) -> &CallInfo {
        &self.info
    }

    /// The same call, told by one of its attempts, counted from 1.
    #[must_use]
    pub const fn for_attempt(mut self, number: u32) -> Self {
        self.info.attempt = number;
        self
    }

    /// Tells what happened.
    pub fn tell(&self, event: &CallEvent<'_>, at: Instant) {
        for handler in &self.listeners.handlers {
            undisturbed(|| handler.call(&self.info, event, at));
        }
    }

    /// Tells that the call ended. To be called once.
    pub fn end(&self, outcome: Result<(), &Status>, at: Instant) {
        let elapsed = at.saturating_duration_since(self.info.began);
        self.tell(&CallEvent::End { outcome, elapsed }, at);
    }
}

impl fmt::Debug for CallStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallStats").field(&self.info).finish()
    }
}

/// Tells about one connection.
pub struct ConnectionStats {
    listeners: Arc<Listeners>,
    info: ConnectionInfo,
}

impl ConnectionStats {
    /// The connection's id, for the calls that come by it.
    pub const fn id(&self) -> u64 {
        self.info.id
    }

    /// Tells that it ended. To be called once.
    pub fn end(&self, at: Instant) {
        let elapsed = at.saturating_duration_since(self.info.began);
        self.tell(&ConnectionEvent::End { elapsed }, at);
    }

    fn tell(&self, event: &ConnectionEvent<'_>, at: Instant) {
        for handler in &self.listeners.handlers {
            undisturbed(|| handler.connection(&self.info, event, at));
        }
    }
}

impl fmt::Debug for ConnectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionStats").field(&self.info).finish()
    }
}

/// Calls a handler, whose panic changes nothing: it may be told while another panic unwinds.
fn undisturbed(tell: impl FnOnce()) {
    // What it said is with the panic hook.
    let _ = catch_unwind(AssertUnwindSafe(tell));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use super::StatsHandlers;
    use crate::stats::{CallEvent, CallInfo, MessageSize, Side, StatsHandler};
    use crate::{MethodDescriptor, Shape, Status};

    static METHOD: MethodDescriptor = MethodDescriptor::new("a.B", "C", "/a.B/C", Shape::Unary);

    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl StatsHandler for Notes {
        fn call(&self, call: &CallInfo, event: &CallEvent<'_>, _: Instant) {
            let (id, attempt) = (call.id, call.attempt);
            let mut notes = self.0.lock().unwrap();
            notes.push(format!("{id}.{attempt} {event:?}"));
        }
    }

    struct Broken;

    impl StatsHandler for Broken {
        fn call(&self, _: &CallInfo, _: &CallEvent<'_>, _: Instant) {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    #[test]
    fn nobody_is_told_without_a_look_at_the_clock() {
        let none = StatsHandlers::new();
        let now = || panic!("nobody asked");
        assert!(none.is_empty());
        let call = none.begin_call(Side::Server, &METHOD, None, None, now);
        assert!(call.is_none());
        let now = || panic!("nobody asked");
        assert!(
            none.begin_connection(Side::Client, format_args!("x"), now)
                .is_none()
        );
    }

    #[test]
    fn every_handler_is_told_even_beside_one_that_panics() {
        let (one, two) = (Notes::default(), Notes::default());
        let mut all = StatsHandlers::new();
        all.add(one.clone());
        all.add(Broken);
        all.add(two.clone());
        let start = Instant::now();
        let call = all.begin_call(Side::Client, &METHOD, None, None, || start);
        let call = call.unwrap();
        let attempt = call.clone().for_attempt(2);
        attempt.tell(&CallEvent::MessageOut(MessageSize::new(9, 5)), start);
        let status = Status::not_found("x");
        call.end(Err(&status), start + Duration::from_secs(3));
        let notes = one.0.lock().unwrap().clone();
        assert_eq!(notes, *two.0.lock().unwrap());
        assert_eq!(notes.len(), 3);
        assert!(notes[0].starts_with("1.0 Begin"), "{notes:?}");
        assert_eq!(
            notes[1],
            "1.2 MessageOut(MessageSize { bytes: 9, wire_bytes: 5 })"
        );
        assert!(notes[2].contains("elapsed: 3s"), "{notes:?}");
    }
}
