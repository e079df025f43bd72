//! Middleware of a server: async code around every RPC, from its head to its status.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use trunkline_core::{Metadata, Status, Trailers};
use trunkline_transport::stream::MessageHook;

use crate::rpc::{RequestContext, own};

/// Surrounds RPCs of all four shapes: waits, refuses, edits, and sees how they end.
///
/// It is given the [`RequestContext`] before any message is decoded, and [`Next`], which is the
/// rest: inner interceptors, then the handler. Before [`Next::run`] it may await what it likes,
/// change the metadata and the extensions that the handler sees, add response headers and message
/// hooks; or return an error, and the handler never runs. After it, it holds the status or the
/// trailers that the handler ended with, and returns what the client is to get.
///
/// A panic of the handler arrives here as INTERNAL. When the client gives up, the deadline passes
/// or the server stops, the interceptor is dropped where it waits, as the handler is: what must
/// learn of every end is a [`StatsHandler`](trunkline_core::stats::StatsHandler).
/// A panic of its own is INTERNAL for its RPC and no other.
///
/// They are added to a server with [`ServerBuilder::intercept`](crate::ServerBuilder::intercept)
/// and to a service with [`BoxService::intercept`](crate::BoxService::intercept), which generated servers have too. The first one
/// added is the outermost; those of the server are outside of those of a service. A request whose
/// path is no method's passes none of them: it is answered UNIMPLEMENTED at once. Where there are
/// no interceptors an RPC pays nothing; each one costs a box per RPC, and the first one more.
/// ```
/// use trunkline_core::{Status, Trailers};
/// use trunkline_server::{Interceptor, Next, RequestContext};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// struct Auth {
///     tokens: Tokens,
/// }
///
/// impl Interceptor for Auth {
///     async fn intercept(
///         &self,
///         mut cx: RequestContext,
///         mut next: Next<'_>,
///     ) -> Result<Trailers, Status> {
///         let Some(token) = cx.metadata().get("authorization") else {
///             return Err(Status::unauthenticated("no token"));
///         };
///         let user = self.tokens.check(token).await?;
///         cx.extensions_mut().insert(User(user));
///         next.headers_mut().insert("checked", "yes")?;
///         let method = cx.method();
///         let outcome = next.run(cx).await;
///         println!("{method}: {}", outcome.is_ok());
///         outcome
///     }
/// }
/// # struct Tokens;
/// # impl Tokens {
/// #     async fn check(&self, token: &str) -> Result<String, Status> { Ok(token.to_owned()) }
/// # }
/// let server = trunkline_server::Server::insecure().intercept(Auth { tokens: Tokens });
/// # let _ = server;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no interceptor of a server",
    label = "this is no interceptor of a server",
    note = "a server's interceptor is a type with `async fn intercept(&self, cx, next)`; closures, and \
            interceptors of clients, are none"
)]
pub trait Interceptor: Send + Sync + 'static {
    /// Carries one RPC out, or refuses it.
    ///
    /// Shape: `Ok` holds the trailers that go with an OK. An RPC whose handler has not given its
    /// one response cannot end with OK: it ends with INTERNAL then.
    /// Dropped, wherever it waits, when the RPC ends early.
    fn intercept(
        &self,
        cx: RequestContext,
        next: Next<'_>,
    ) -> impl Future<Output = Result<Trailers, Status>> + Send;

    /// Erases the type, for lists that are built at run time.
    fn boxed(self) -> BoxInterceptor
    where
        Self: Sized,
    {
        BoxInterceptor(Arc::new(self))
    }
}

/// An interceptor that others hold too.
impl<I: Interceptor> Interceptor for Arc<I> {
    fn intercept(
        &self,
        cx: RequestContext,
        next: Next<'_>,
    ) -> impl Future<Output = Result<Trailers, Status>> + Send {
        I::intercept(self, cx, next)
    }
}

/// Any [`Interceptor`], with its type erased. Cheap to clone.
/// ```
/// use trunkline_core::{Status, Trailers};
/// use trunkline_server::{BoxInterceptor, Interceptor, Next, RequestContext, Server};
///
/// struct Tag(String);
///
/// impl Interceptor for Tag {
///     async fn intercept(
///         &self,
///         cx: RequestContext,
///         mut next: Next<'_>,
///     ) -> Result<Trailers, Status> {
///         next.headers_mut().append("tag", &self.0)?;
///         next.run(cx).await
///     }
/// }
/// let config = "one two";
/// let list: Vec<BoxInterceptor> = config
///     .split(' ')
///     .map(|name| Tag(name.to_owned()).boxed())
///     .collect();
/// let server = Server::insecure().intercept_all(list);
/// # let _ = server;
/// ```
#[derive(Clone)]
pub struct BoxInterceptor(Arc<dyn Erased>);

impl Interceptor for BoxInterceptor {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        self.0.intercept(cx, next).await
    }

    fn boxed(self) -> Self {
        self
    }
}

impl fmt::Debug for BoxInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxInterceptor")
    }
}

type Intercepting<'a> = Pin<Box<dyn Future<Output = Result<Trailers, Status>> + Send + 'a>>;

trait Erased: Send + Sync {
    fn intercept<'s: 'f, 'n: 'f, 'f>(
        &'s self,
        cx: RequestContext,
        next: Next<'n>,
    ) -> Intercepting<'f>;
}

impl<I: Interceptor> Erased for I {
    fn intercept<'s: 'f, 'n: 'f, 'f>(
        &'s self,
        cx: RequestContext,
        next: Next<'n>,
    ) -> Intercepting<'f> {
        Box::pin(I::intercept(self, cx, next))
    }
}

/// The interceptors around one method, outermost first; never empty.
pub(crate) type Chain = Arc<[BoxInterceptor]>;

/// What comes after an interceptor: the next one, or the handler.
pub struct Next<'a> {
    rest: &'a [BoxInterceptor],
    end: Pin<&'a mut (dyn Endpoint + 'a)>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(chain: &'a [BoxInterceptor], end: Pin<&'a mut (dyn Endpoint + 'a)>) -> Self {
        Self { rest: chain, end }
    }

    /// Response headers that are sent in front of those of the handler.
    ///
    /// They leave with the first message; with the status, if there is none.
    pub fn headers_mut(&mut self) -> &mut Metadata {
        &mut self.end.as_mut().additions().headers
    }

    /// Shows every message of the RPC to this hook, after those that were added before.
    ///
    /// What the hook refuses, the handler's `recv` or `send` fails with. The request of a method
    /// that takes one is refused before the handler runs.
    pub fn hook(&mut self, hook: impl MessageHook) {
        self.end.as_mut().additions().hooks.push(Box::new(hook));
    }

    /// Runs the rest: inner interceptors, and the handler with the children that it has spawned.
    ///
    /// Errors: the status that they end with, INTERNAL for a panic in the handler. That of a call
    /// which they made is passed on already: it is what the client would get.
    /// Dropping the future drops the handler where it waits, and its children.
    pub async fn run(self, cx: RequestContext) -> Result<Trailers, Status> {
        let Self { rest, mut end } = self;
        match rest.split_first() {
            Some((first, rest)) => {
                let ended = first.0.intercept(cx, Next { rest, end }).await;
                ended.map_err(own)
            }
            None => {
                end.as_mut().start(cx);
                Running { end: Some(end) }.await
            }
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("interceptors", &self.rest.len())
            .finish_non_exhaustive()
    }
}

/// What interceptors add to an RPC before its handler runs.
#[derive(Default)]
pub(crate) struct Additions {
    pub(crate) headers: Metadata,
    pub(crate) hooks: Vec<Box<dyn MessageHook>>,
}

/// The handler behind all interceptors, with its types erased. It lives in the RPC's task, so
/// that erasing it costs no box.
pub(crate) trait Endpoint: Send {
    fn additions(self: Pin<&mut Self>) -> &mut Additions;

    /// Makes the handler ready to be polled.
    fn start(self: Pin<&mut Self>, cx: RequestContext);

    /// Runs the handler; ready when it and its children are done.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Trailers, Status>>;

    /// Drops the handler and its children.
    fn cancel(self: Pin<&mut Self>);
}

/// Runs the handler, and drops it when it is dropped itself.
struct Running<'a> {
    end: Option<Pin<&'a mut (dyn Endpoint + 'a)>>,
}

impl Future for Running<'_> {
    type Output = Result<Trailers, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(end) = &mut self.end else {
            return Poll::Pending;
        };
        let outcome = ready!(end.as_mut().poll(cx));
        self.end = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(end) = &mut self.end {
            end.as_mut().cancel();
        }
    }
}
