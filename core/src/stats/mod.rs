//! What those who measure are told about connections and calls.
//!
//! Shape: a [`StatsHandler`] is given to a channel or a server and told of [`CallEvent`]s and
//! [`ConnectionEvent`]s as they happen. It only watches: nothing that it does changes a call.
//! Time comes in as a value, and nothing is told, made or allocated where nobody listens.

mod tell;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::metadata::Metadata;
use crate::method::MethodDescriptor;
use crate::status::Status;

pub use self::tell::{CallStats, ConnectionStats, StatsHandlers};

/// Measures calls and connections: counters, histograms, traces.
///
/// It is called in the middle of the call, by whoever carries it on, so it must be quick and not
/// block. It can change nothing; code that should decide something is an interceptor. A panic in
/// it is caught and changes nothing either.
///
/// How often calls ended with which code, to be read while others hold it too:
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Instant;
/// use trunkline_core::Code;
/// use trunkline_core::stats::{CallEvent, CallInfo, StatsHandler, StatsHandlers};
///
/// #[derive(Default)]
/// struct Codes([AtomicU64; 17]);
///
/// impl StatsHandler for Codes {
///     fn call(&self, _: &CallInfo, event: &CallEvent<'_>, _: Instant) {
///         if let CallEvent::End { outcome, .. } = event {
///             self.0[Code::of(outcome) as usize].fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let codes = Arc::new(Codes::default());
/// let mut handlers = StatsHandlers::new(); // what `.stats_handler(..)` of both sides adds to
/// handlers.add(Arc::clone(&codes));
/// ```
pub trait StatsHandler: Send + Sync + 'static {
    /// Something happened to a call, at this time.
    ///
    /// The first event of a call is [`CallEvent::Begin`] and the last [`CallEvent::End`], each
    /// exactly once, however the call ends.
    fn call(&self, call: &CallInfo, event: &CallEvent<'_>, at: Instant) {
        let _ = (call, event, at);
    }

    /// A connection began or ended, at this time.
    fn connection(&self, connection: &ConnectionInfo, event: &ConnectionEvent<'_>, at: Instant) {
        let _ = (connection, event, at);
    }
}

/// A handler that others hold too, to read what it has counted.
impl<S: StatsHandler + ?Sized> StatsHandler for Arc<S> {
    fn call(&self, call: &CallInfo, event: &CallEvent<'_>, at: Instant) {
        S::call(self, call, event, at);
    }

    fn connection(&self, connection: &ConnectionInfo, event: &ConnectionEvent<'_>, at: Instant) {
        S::connection(self, connection, event, at);
    }
}

/// Which side of the wire an event is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The side that calls.
    Client,
    /// The side that answers.
    Server,
}

/// Which call an event belongs to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CallInfo {
    /// Tells calls apart: unique among those of one channel or one server.
    pub id: u64,
    /// Who tells it.
    pub side: Side,
    /// What is called.
    pub method: &'static MethodDescriptor,
    /// Client: the attempt that the event belongs to, counted from 1; 0 for what concerns the call
    /// as a whole. Server: 0.
    pub attempt: u32,
    /// The [`ConnectionInfo::id`] of the connection that it came by, where that is known.
    pub connection: Option<u64>,
    /// When the call began.
    pub began: Instant,
}

/// What happened to a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CallEvent<'a> {
    /// It began: the client made it, or the server found its handler.
    Begin {
        /// When it must have ended, if anybody said.
        deadline: Option<Deadline>,
    },
    /// Client: it is put on a connection.
    AttemptBegin {
        /// Who answers there.
        peer: fmt::Arguments<'a>,
        /// The attempt before was surely not processed, so that it counts for nothing.
        transparent: bool,
    },
    /// The headers were handed to the connection: those of the client, or the server's response
    /// headers. A server that answers with a status alone sends none.
    HeadersOut {
        /// What goes along with them.
        metadata: &'a Metadata,
    },
    /// The peer's headers came.
    HeadersIn {
        /// What came along with them.
        metadata: &'a Metadata,
    },
    /// A message was handed to the connection.
    MessageOut(MessageSize),
    /// A message came and was decoded.
    MessageIn(MessageSize),
    /// Server: the trailers, or the status alone, were handed to the connection.
    TrailersOut {
        /// What goes along with the status.
        metadata: &'a Metadata,
    },
    /// Client: the trailers, or a status alone, came.
    TrailersIn {
        /// What came along with the status.
        metadata: &'a Metadata,
    },
    /// Client: an attempt ended.
    AttemptEnd {
        /// How.
        outcome: Result<(), &'a Status>,
        /// How long it took.
        elapsed: Duration,
    },
    /// The call ended: the client has its outcome, or the server is done with it.
    End {
        /// How. A server's handler that was dropped has the status that its client is told, or
        /// would be if it were still there.
        outcome: Result<(), &'a Status>,
        /// How long the call took since it began.
        elapsed: Duration,
    },
}

/// The size of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageSize {
    /// The message itself, before compression or after inflation.
    pub bytes: usize,
    /// What lies on the wire for it, compressed if it was, without its five-byte prefix.
    pub wire_bytes: usize,
}

impl MessageSize {
    /// A message of `bytes`, which are `wire_bytes` on the wire.
    pub const fn new(bytes: usize, wire_bytes: usize) -> Self {
        Self { bytes, wire_bytes }
    }
}

/// Which connection an event belongs to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Tells connections apart: unique among those of one channel or one server.
    pub id: u64,
    /// Who tells it.
    pub side: Side,
    /// When it began.
    pub began: Instant,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ConnectionEvent<'a> {
    /// Both ends have agreed on HTTP/2.
    Begin {
        /// The address of the other end.
        peer: fmt::Arguments<'a>,
    },
    /// It ended.
    End {
        /// How long it lasted.
        elapsed: Duration,
    },
}
