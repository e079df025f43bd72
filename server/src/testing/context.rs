//! A context without an RPC, to call a handler as the function that it is.

use std::time::Duration;

use http::HeaderValue;
use trunkline_core::{Deadline, Metadata, Method, MethodDescriptor};
use trunkline_transport::{Peer, memory, now};

use crate::rpc::{Extensions, RequestContext};
use crate::server::{Link, Server};

/// A [`RequestContext`] for a handler that a test calls by itself.
///
/// ```
/// # use bytes::Bytes;
/// # use trunkline_core::{Method, MethodDescriptor, RawCodec, Response, Shape, Status};
/// # use trunkline_server::RequestContext;
/// # struct SayHello;
/// # impl Method for SayHello {
/// #     type Request = Bytes;
/// #     type Response = Bytes;
/// #     type Codec = RawCodec;
/// #     const DESCRIPTOR: &'static MethodDescriptor =
/// #         &MethodDescriptor::new("demo.Greeter", "SayHello", "/demo.Greeter/SayHello", Shape::Unary);
/// # }
/// use trunkline_server::testing;
///
/// struct MyGreeter;
/// impl MyGreeter {
///     async fn say_hello(&self, cx: &RequestContext, name: Bytes) -> Result<Response<Bytes>, Status> {
///         match cx.metadata().get("tenant") {
///             Some(_) => Ok(Response::new(name)),
///             None => Err(Status::unauthenticated("who are you?")),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let cx = testing::context::<SayHello>().metadata("tenant", "blue").build();
/// let reply = MyGreeter.say_hello(&cx, Bytes::from("ann")).await;
/// assert_eq!(reply.unwrap().into_message(), "ann");
/// # }
/// ```
pub fn context<M: Method>() -> ContextBuilder {
    ContextBuilder {
        method: M::DESCRIPTOR,
        metadata: Metadata::new(),
        user_agent: None,
        deadline: None,
        peer: None,
        extensions: Extensions::new(),
    }
}

/// What a [`context`] says. By default: no metadata, no deadline, the peer `memory:test`.
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct ContextBuilder {
    method: &'static MethodDescriptor,
    metadata: Metadata,
    user_agent: Option<HeaderValue>,
    deadline: Option<Deadline>,
    peer: Option<Peer>,
    extensions: Extensions,
}

impl ContextBuilder {
    /// Adds an entry of metadata.
    ///
    /// # Panics
    /// When no client could send it.
    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        if let Err(error) = self.metadata.append(key, value) {
            panic!("metadata of a test: {error}");
        }
        self
    }

    /// Adds an entry of any bytes; its key ends in `-bin`.
    ///
    /// # Panics
    /// When no client could send it.
    pub fn metadata_bin(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.metadata.append_bin(key, value) {
            panic!("metadata of a test: {error}");
        }
        self
    }

    /// The client's name for itself.
    ///
    /// # Panics
    /// When no client could send it.
    pub fn user_agent(mut self, name: &str) -> Self {
        match HeaderValue::from_str(name) {
            Ok(value) => self.user_agent = Some(value),
            Err(_) => panic!("user agent of a test: {name:?} cannot be sent"),
        }
        self
    }

    /// The deadline, counted from now. Nobody enforces it: the handler only sees it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Some(Deadline::after(now(), timeout));
        self
    }

    /// The other end of the connection.
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Adds a value such as an interceptor leaves.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// The context.
    ///
    /// What a handler starts with `spawn` runs until the context is dropped, in the runtime of the
    /// test; nobody waits for it. `cancelled()` and `stopping()` never come.
    #[must_use]
    pub fn build(self) -> RequestContext {
        let (_, listener) = memory::pair("test");
        let Ok(server) = Server::insecure().listen(listener) else {
            panic!("a server without services can be made");
        };
        let peer = self
            .peer
            .unwrap_or_else(|| Peer::new(server.local_address().clone()));
        let link = Link::detached(&server, peer);
        let mut context = RequestContext::new(
            self.method,
            self.metadata,
            self.user_agent,
            self.deadline,
            link,
        );
        *context.extensions_mut() = self.extensions;
        context
    }
}
