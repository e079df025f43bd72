//! What a handler knows about its RPC.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use trunkline_core::{Deadline, Inherited, Metadata, MethodDescriptor, Status};
use trunkline_transport::Peer;

use super::children::Scope;
use crate::server::Link;
#[cfg(any(feature = "health", feature = "reflection"))]
use crate::signal::Signal;

/// What the client sent along with an RPC, and the means to start work that belongs to it.
///
/// Interceptors own it and may change it; handlers read it. `Sync`, and never cloned: it ends with
/// the RPC.
pub struct RequestContext {
    method: &'static MethodDescriptor,
    metadata: Metadata,
    user_agent: Option<HeaderValue>,
    deadline: Option<Deadline>,
    link: LinkRef,
    extensions: Extensions,
    /// Allocated by the first `spawn` or `cancelled`: most RPCs use neither.
    scope: OnceLock<Arc<Scope>>,
}

impl RequestContext {
    pub(crate) fn new(
        method: &'static MethodDescriptor,
        metadata: Metadata,
        user_agent: Option<HeaderValue>,
        deadline: Option<Deadline>,
        link: Arc<Link>,
    ) -> Self {
        Self {
            method,
            metadata,
            user_agent,
            deadline,
            link: LinkRef {
                link,
                is_copy: false,
            },
            extensions: Extensions::new(),
            scope: OnceLock::new(),
        }
    }

    /// Takes out what interceptors and the handler get. What the RPC's task needs stays here, and
    /// both have the same scope.
    pub(super) fn hand_over(&mut self) -> Self {
        self.scope_or_new();
        Self {
            method: self.method,
            metadata: std::mem::take(&mut self.metadata),
            user_agent: self.user_agent.take(),
            deadline: self.deadline,
            link: self.link.copy(),
            extensions: std::mem::take(&mut self.extensions),
            scope: self.scope.clone(),
        }
    }

    /// The method that was called.
    #[must_use]
    pub const fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// The metadata that the client sent.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The metadata, to change what the handler sees. Nothing of it goes back to the client.
    pub const fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// The client's name for itself, if it gave one.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent
            .as_ref()
            .and_then(|value| value.to_str().ok())
    }

    /// When the RPC must have ended: what the client asked for, or the server's own maximum.
    ///
    /// The server enforces it: the handler is dropped then, and the client told.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.link.peer()
    }

    /// Values that code in front of the handler left for it.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The extensions, to add to them.
    pub const fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// What a call made by this handler should take over: the deadline and the trace context.
    ///
    /// `client.say_hello(request).within(cx)` uses it. Other metadata stays here: it may hold
    /// credentials that are not meant for the next server.
    #[must_use]
    pub fn inherited(&self) -> Inherited {
        let mut inherited = Inherited::new();
        inherited.deadline = self.deadline;
        for (name, value) in self.metadata.wire() {
            if TRACE_CONTEXT.contains(&name.as_str()) {
                inherited.metadata.push_wire(name.clone(), value.clone());
            }
        }
        inherited
    }

    /// Starts a child of this RPC in a task of its own.
    ///
    /// When the handler returns Ok, the RPC ends only after its children have ended; the deadline
    /// bounds that too. The first child that fails or panics (INTERNAL), an error of the handler,
    /// the deadline, a cancel or the server's stop aborts all the others, and that is the status
    /// of the RPC. So a [`Sender`](crate::Sender) moved into a child never truncates its stream
    /// unnoticed.
    pub fn spawn(&self, child: impl Future<Output = Result<(), Status>> + Send + 'static) {
        self.scope_or_new().spawn(self.link.child(), child);
    }

    /// Waits until the RPC is cancelled: by the client, its deadline, the loss of the connection
    /// or the server's stop.
    ///
    /// The handler gets one more turn then, and is dropped when it waits again: do what can be
    /// done without waiting. A drop guard needs no call to this. Cancel safe.
    pub async fn cancelled(&self) {
        self.scope_or_new().cancelled().await;
    }

    /// Waits until the server begins to stop, which is before anything is cut: for handlers that go
    /// on for as long as their client likes, such as watches.
    ///
    /// A stop waits for them until its grace is over. One that ends itself by then, say with
    /// UNAVAILABLE, does not hold it up, and its client knows that it wants another server. The
    /// end of a connection alone, because of its age, is none. Cancel safe.
    /// ```
    /// use trunkline_core::Status;
    /// use trunkline_server::{RequestContext, Sender};
    ///
    /// async fn tick(cx: &RequestContext, mut ticks: Sender<u64>) -> Result<(), Status> {
    ///     let ticking = async {
    ///         for tick in 0.. {
    ///             ticks.send(&tick).await?;
    ///             tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    ///         }
    ///         Ok(())
    ///     };
    ///     tokio::select! {
    ///         ended = ticking => ended,
    ///         () = cx.stopping() => Err(Status::unavailable("the server is stopping")),
    ///     }
    /// }
    /// ```
    pub async fn stopping(&self) {
        self.link.drain().wait().await;
    }

    /// Whether the server has begun to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.link.drain().is_raised()
    }

    /// Raised when the server begins to stop.
    #[cfg(any(feature = "health", feature = "reflection"))]
    pub(crate) fn stop_signal(&self) -> &Signal {
        self.link.drain()
    }

    /// What was started or asked for, if anything.
    pub(super) fn scope(&self) -> Option<&Scope> {
        self.scope.get().map(AsRef::as_ref)
    }

    pub(super) const fn link(&self) -> &Arc<Link> {
        &self.link.link
    }

    pub(super) fn scope_or_new(&self) -> &Arc<Scope> {
        self.scope.get_or_init(Arc::default)
    }
}

/// What the RPC shares with the others of its connection.
///
/// A connection counts its RPCs by their links, so a second one of the same RPC says that it is.
struct LinkRef {
    link: Arc<Link>,
    is_copy: bool,
}

impl LinkRef {
    fn copy(&self) -> Self {
        self.link.copied();
        Self {
            link: Arc::clone(&self.link),
            is_copy: true,
        }
    }
}

impl Deref for LinkRef {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Drop for LinkRef {
    fn drop(&mut self) {
        if self.is_copy {
            self.link.copy_dropped();
        }
    }
}

/// The W3C trace context and its binary form of gRPC.
const TRACE_CONTEXT: [&str; 3] = ["traceparent", "tracestate", "grpc-trace-bin"];

impl From<&RequestContext> for Inherited {
    fn from(cx: &RequestContext) -> Self {
        cx.inherited()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("method", &self.method.path)
            .field("metadata", &self.metadata)
            .field("deadline", &self.deadline)
            .field("peer", self.peer().address())
            .finish_non_exhaustive()
    }
}

/// Values by type, left for the handler by code in front of it. Empty ones allocate nothing.
/// ```
/// use trunkline_server::Extensions;
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct User(&'static str);
///
/// let mut extensions = Extensions::new();
/// assert_eq!(extensions.insert(User("ann")), None);
/// assert_eq!(extensions.get::<User>(), Some(&User("ann")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Extensions(http::Extensions);

impl Extensions {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self(http::Extensions::new())
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get()
    }

    /// Puts a value in; the one of the same type that it replaces comes back.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        self.0.insert(value)
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&mut self) -> Option<T> {
        self.0.remove()
    }
}
