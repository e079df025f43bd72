//! Middleware of a client: async code around the start of every call.

mod context;
mod hook;
mod outcome;
mod stream;

use std::fmt;
use std::sync::Arc;

use trunkline_core::Status;

pub use context::CallContext;
pub(crate) use hook::SharedHook;
pub use outcome::Outcome;
pub(crate) use outcome::{Ends, OnEnd};
pub use stream::ClientStream;
pub(crate) use stream::Product;

use crate::exclusive::BoxFuture;

/// Surrounds the start of every call of a channel: waits, refuses, edits, looks at the end.
///
/// It is given the [`CallContext`], which knows the method, the target, the metadata and the
/// deadline, and [`Next`], which starts the call. Before that it may await what it likes, such as
/// a token, and change the context; or return an error, and nothing is sent. What it returns is a
/// [`ClientStream`], on which [`on_end`](ClientStream::on_end) registers who sees, and may rewrite,
/// how the call ended. So one method serves calls of all four shapes.
///
/// The deadline of the call bounds interceptors too, and dropping the call drops them where they
/// stand. Retries on other connections happen below: an interceptor sees one call.
///
/// They are added with [`ChannelBuilder::intercept`](crate::ChannelBuilder::intercept) for a whole
/// channel, or with [`Channel::intercepted`](crate::Channel::intercepted) for a stub. The first
/// added is the outermost. Where there are none a call pays nothing; each one costs a box per call.
///
/// A closure is an interceptor as well:
/// ```
/// use trunkline_client::{CallContext, Channel, Next};
///
/// let channel = Channel::builder("localhost:50051")
///     .insecure()
///     .intercept(|mut call: CallContext, next: Next| async move {
///         call.metadata_mut().insert("tenant", "a")?;
///         next.start(call).await
///     })
///     .build()?;
/// # Ok::<(), trunkline_client::ChannelError>(())
/// ```
///
/// One that gets a new token when the server does not take the old one, and makes the call again:
/// ```
/// use trunkline_client::{CallContext, ClientStream, Interceptor, Next};
/// use trunkline_core::{Code, Status};
///
/// struct Auth {
///     tokens: Tokens,
/// }
///
/// impl Interceptor for Auth {
///     async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
///         let token = self.tokens.current().await?;
///         call.metadata_mut().insert("authorization", &token)?;
///         let mut stream = next.clone().start(call.clone()).await?;
///         match stream.outcome().await {
///             Some(outcome) if outcome.code() == Code::Unauthenticated => {}
///             _ => return Ok(stream),
///         }
///         let token = self.tokens.refreshed().await?;
///         call.metadata_mut().insert("authorization", &token)?;
///         next.start(call).await
///     }
/// }
/// # struct Tokens;
/// # impl Tokens {
/// #     async fn current(&self) -> Result<String, Status> { Ok("Bearer a".into()) }
/// #     async fn refreshed(&self) -> Result<String, Status> { Ok("Bearer b".into()) }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no interceptor of a client",
    label = "this is no interceptor of a client",
    note = "it is a type with `async fn intercept(&self, call, next)`, or a function \
            `|call: CallContext, next: Next| async move {{ .. }}`; interceptors of servers are none"
)]
pub trait Interceptor: Send + Sync + 'static {
    /// Starts a call, or refuses it.
    ///
    /// Errors: whatever the call is to fail with; and those of [`Next::start`].
    /// Not cancel safe towards the call: dropping the future ends it.
    fn intercept(
        &self,
        call: CallContext,
        next: Next,
    ) -> impl Future<Output = Result<ClientStream, Status>> + Send;

    /// Erases the type, for lists that are built at run time.
    fn boxed(self) -> BoxInterceptor
    where
        Self: Sized,
    {
        BoxInterceptor(Arc::new(self))
    }
}

impl<F, Starting> Interceptor for F
where
    F: Fn(CallContext, Next) -> Starting + Send + Sync + 'static,
    Starting: Future<Output = Result<ClientStream, Status>> + Send,
{
    fn intercept(
        &self,
        call: CallContext,
        next: Next,
    ) -> impl Future<Output = Result<ClientStream, Status>> + Send {
        self(call, next)
    }
}

/// An interceptor that others hold too.
impl<I: Interceptor> Interceptor for Arc<I> {
    fn intercept(
        &self,
        call: CallContext,
        next: Next,
    ) -> impl Future<Output = Result<ClientStream, Status>> + Send {
        I::intercept(self, call, next)
    }
}

/// Any [`Interceptor`], with its type erased.
///
/// ```
/// use trunkline_client::{BoxInterceptor, CallContext, Channel, Interceptor, Next};
///
/// fn tag(name: &'static str) -> BoxInterceptor {
///     let tag = move |mut call: CallContext, next: Next| async move {
///         call.metadata_mut().append("tag", name)?;
///         next.start(call).await
///     };
///     tag.boxed()
/// }
/// let from_a_config_file = vec![tag("one"), tag("two")];
/// let channel = Channel::builder("localhost:50051").insecure().intercept_all(from_a_config_file);
/// ```
#[derive(Clone)]
pub struct BoxInterceptor(Arc<dyn Erased>);

impl Interceptor for BoxInterceptor {
    fn intercept(
        &self,
        call: CallContext,
        next: Next,
    ) -> impl Future<Output = Result<ClientStream, Status>> + Send {
        Arc::clone(&self.0).intercept(call, next)
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

pub(crate) type Started = BoxFuture<Result<ClientStream, Status>>;

trait Erased: Send + Sync {
    fn intercept(self: Arc<Self>, call: CallContext, next: Next) -> Started;
}

impl<I: Interceptor> Erased for I {
    fn intercept(self: Arc<Self>, call: CallContext, next: Next) -> Started {
        Box::pin(async move { I::intercept(&self, call, next).await })
    }
}

/// The interceptors of a channel, outermost first; never empty.
pub(crate) type Chain = Arc<[BoxInterceptor]>;

/// What comes after an interceptor: the next one, or the start of the call itself.
///
/// A clone starts the call once more. Each start is a call of its own to the server, and only the
/// stream that the interceptor returns is the caller's; dropping another one cancels it.
#[derive(Clone)]
pub struct Next {
    chain: Chain,
    at: usize,
    launch: Arc<dyn Launch>,
}

/// Starts a call beneath the interceptors.
pub(crate) trait Launch: Send + Sync {
    fn launch(&self, call: CallContext) -> Started;
}

impl Next {
    pub(crate) const fn new(chain: Chain, launch: Arc<dyn Launch>) -> Self {
        Self {
            chain,
            at: 0,
            launch,
        }
    }

    /// Starts the call: resolves when its request is on its way, as an open stream.
    ///
    /// Errors: what an inner interceptor refuses it with; UNAVAILABLE while nothing can be
    /// reached; DEADLINE_EXCEEDED; a message that is too large. How the server answers is no
    /// error here: see [`ClientStream::on_end`] and [`ClientStream::outcome`].
    /// Dropping the future calls the call off.
    pub async fn start(self, call: CallContext) -> Result<ClientStream, Status> {
        self.step(call).await
    }

    pub(crate) fn step(&self, call: CallContext) -> Started {
        match self.chain.get(self.at) {
            Some(interceptor) => {
                let interceptor = Arc::clone(&interceptor.0);
                let next = Self {
                    at: self.at + 1,
                    ..self.clone()
                };
                interceptor.intercept(call, next)
            }
            None => self.launch.launch(call),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = self.chain.len().saturating_sub(self.at);
        f.debug_struct("Next")
            .field("interceptors", &behind)
            .finish_non_exhaustive()
    }
}
