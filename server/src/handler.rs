//! What a service is to the server: a descriptor, and one erased handler per method.

use std::marker::PhantomData;
use std::sync::Arc;

use trunkline_core::{Method, MethodDescriptor, ServiceDescriptor};

use crate::interceptor::{BoxInterceptor, Chain, Interceptor};
use crate::router::{BoxService, MethodTable};
use crate::rpc::{Incoming, OnCancel, Outcome, RequestContext, Rpc, run, run_intercepted};
use crate::server::MethodLimits;

/// A service that can be added to a server. Generated code implements it for `GreeterServer<T>`.
pub trait GrpcService {
    /// The service's name and methods.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Puts one handler per method into the table.
    fn register(self, methods: &mut MethodTable);

    /// Erases the type, for services that are kept or put together at run time.
    fn boxed(self) -> BoxService
    where
        Self: Sized,
    {
        BoxService::new(self)
    }

    /// Surrounds every RPC of this service, inside of what surrounds those of the whole server.
    /// The first one added is the outermost.
    fn intercept(self, interceptor: impl Interceptor) -> BoxService
    where
        Self: Sized,
    {
        self.intercept_all([interceptor.boxed()])
    }

    /// Surrounds every RPC of this service by interceptors from a list that was made at run time.
    fn intercept_all(self, list: impl IntoIterator<Item = BoxInterceptor>) -> BoxService
    where
        Self: Sized,
    {
        self.boxed().with_interceptors(list)
    }

    /// Lets the handler of `M` run to completion when its client gives up, where it would be
    /// dropped otherwise: for work that must not stop half-way.
    ///
    /// The handler goes on when the client resets the call or is gone, and learns of it from
    /// [`RequestContext::cancelled`]; what it still receives and sends fails, and its outcome is
    /// told nobody. It ends with itself, at the deadline, or with the server's stop, which gives it
    /// the grace; a method whose clients may set no deadline wants
    /// [`max_timeout`](crate::ServerBuilder::max_timeout). As many such handlers of one connection
    /// run on as it may have calls at once; one more is dropped. Each is counted in
    /// [`ServerStats::rpcs_ran_on`](crate::ServerStats::rpcs_ran_on).
    ///
    /// A method that is not of this service fails when the server is bound.
    /// ```
    /// use trunkline_core::Method;
    /// use trunkline_server::{BoxService, GrpcService};
    ///
    /// // With generated code: `LedgerServer::new(ledger).run_to_completion::<ledger::Transfer>()`.
    /// fn careful<Transfer: Method>(ledger: impl GrpcService) -> BoxService {
    ///     ledger.run_to_completion::<Transfer>()
    /// }
    /// ```
    fn run_to_completion<M: Method>(self) -> BoxService
    where
        Self: Sized,
    {
        self.boxed()
            .with_on_cancel(M::DESCRIPTOR.path, OnCancel::RunToCompletion)
    }

    /// Gives the messages of `M` limits of their own, where those of the server are too narrow or
    /// too wide. What is not said stays the server's.
    ///
    /// A method that is not of this service fails when the server is bound.
    /// ```
    /// use trunkline_core::Method;
    /// use trunkline_server::{BoxService, GrpcService, MethodLimits};
    ///
    /// // With generated code: `StoreServer::new(store).method_limits::<store::Put>(limits)`.
    /// fn roomy<Put: Method>(store: impl GrpcService) -> BoxService {
    ///     let limits = MethodLimits::new().max_receive_message_bytes(64 * 1024 * 1024);
    ///     store.method_limits::<Put>(limits)
    /// }
    /// ```
    fn method_limits<M: Method>(self, limits: MethodLimits) -> BoxService
    where
        Self: Sized,
    {
        self.boxed().with_limits(M::DESCRIPTOR.path, limits)
    }
}

/// How a service of type `S` answers this method: the glue between one RPC and one `async fn`.
///
/// Generated code implements it once per method. A hand-written one looks the same:
/// ```
/// use bytes::Bytes;
/// use trunkline_core::{Method, MethodDescriptor, RawCodec, Response, Shape};
/// use trunkline_server::{Incoming, Outcome, RequestContext, Serve};
///
/// struct Echo;
/// impl Method for Echo {
///     type Request = Bytes;
///     type Response = Bytes;
///     type Codec = RawCodec;
///     const DESCRIPTOR: &'static MethodDescriptor =
///         &MethodDescriptor::new("demo.Echo", "Echo", "/demo.Echo/Echo", Shape::Unary);
/// }
///
/// struct MyEcho;
/// impl Serve<MyEcho> for Echo {
///     async fn serve(_: &MyEcho, _: &RequestContext, call: Incoming<Self>) -> Outcome {
///         match call.only().await {
///             Ok((request, call)) => call.reply(async { Ok(Response::new(request)) }).await,
///             Err(outcome) => outcome,
///         }
///     }
/// }
/// ```
pub trait Serve<S>: Method + Sized {
    /// Answers one RPC. It is dropped, wherever it waits, when the RPC ends early.
    fn serve(
        service: &S,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> impl Future<Output = Outcome> + Send;
}

/// One method of one service, its types erased. What the method table stores.
pub(crate) trait Handler: Send + Sync {
    /// The method it answers.
    fn descriptor(&self) -> &'static MethodDescriptor;

    /// Starts the RPC's task: exactly one `tokio::spawn`, which allocates anyway, so that erasing
    /// the handler here costs no box.
    fn spawn(&self, rpc: Rpc, chain: Option<&Chain>);
}

/// The handler for method `M` of service `S`.
pub(crate) struct MethodHandler<M, S> {
    service: Arc<S>,
    method: PhantomData<fn() -> M>,
}

impl<M, S> MethodHandler<M, S> {
    pub(crate) const fn new(service: Arc<S>) -> Self {
        Self {
            service,
            method: PhantomData,
        }
    }
}

impl<M, S> Handler for MethodHandler<M, S>
where
    M: Serve<S>,
    S: Send + Sync + 'static,
{
    fn descriptor(&self) -> &'static MethodDescriptor {
        M::DESCRIPTOR
    }

    fn spawn(&self, rpc: Rpc, chain: Option<&Chain>) {
        let service = Arc::clone(&self.service);
        match chain {
            None => tokio::spawn(run::<M, S>(service, rpc)),
            Some(chain) => tokio::spawn(run_intercepted::<M, S>(service, rpc, Arc::clone(chain))),
        };
    }
}
