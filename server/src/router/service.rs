//! A service whose type is erased.

use std::fmt;

use trunkline_core::{FileDescriptor, Method, ServiceDescriptor};

use super::{MethodTable, Place};
use crate::handler::{FirstPoll, GrpcService};
use crate::interceptor::{BoxInterceptor, Interceptor};
use crate::rpc::OnCancel;
use crate::server::MethodLimits;
use crate::services::Described;

/// Any [`GrpcService`] with its type erased, and with what surrounds its RPCs.
///
/// Made by [`GrpcService::boxed`] and by the methods of generated servers, which are the same as
/// these:
/// ```
/// # use trunkline_core::{Status, Trailers};
/// # use trunkline_server::{Interceptor, Next, RequestContext};
/// # struct Logging;
/// # impl Interceptor for Logging {
/// #     async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
/// #         next.run(cx).await
/// #     }
/// # }
/// use trunkline_server::{BoxService, GrpcService, Server, ServerBuilder};
///
/// fn logged(service: impl GrpcService) -> BoxService {
///     service.boxed().intercept(Logging)
/// }
///
/// fn serve(services: Vec<BoxService>) -> ServerBuilder {
///     services
///         .into_iter()
///         .fold(Server::insecure(), ServerBuilder::add_service)
/// }
/// # let _ = serve(Vec::new());
/// ```
pub struct BoxService {
    descriptor: &'static ServiceDescriptor,
    described: Described,
    methods: MethodTable,
}

impl BoxService {
    pub(crate) fn new(service: impl GrpcService) -> Self {
        let descriptor = service.descriptor();
        let described = Described::of(&service);
        let mut methods = MethodTable::default();
        service.register(&mut methods);
        Self {
            descriptor,
            described,
            methods,
        }
    }

    /// Surrounds every RPC of this service, inside of what surrounds those of the whole server.
    /// The first one added is the outermost.
    #[must_use]
    pub fn intercept(self, interceptor: impl Interceptor) -> Self {
        self.intercept_all([interceptor.boxed()])
    }

    /// Surrounds every RPC of this service by interceptors from a list that was made at run time.
    #[must_use]
    pub fn intercept_all(mut self, list: impl IntoIterator<Item = BoxInterceptor>) -> Self {
        let list: Vec<_> = list.into_iter().collect();
        self.methods.surround(Place::Inside, &list);
        self
    }

    /// Lets the handler of `M` run to completion when its client gives up, where it would be
    /// dropped otherwise: for work that must not stop half-way.
    ///
    /// The handler goes on when the client resets the call or is gone, and learns of it from
    /// [`RequestContext::cancelled`](crate::RequestContext::cancelled); what it still receives and
    /// sends fails, and its outcome is told nobody. It ends with itself, at the deadline, or with
    /// the server's stop, which gives it the grace; a method whose clients may set no deadline
    /// wants [`max_timeout`](crate::ServerBuilder::max_timeout). As many such handlers of one
    /// connection run on as it may have calls at once; one more is dropped. Each is counted in
    /// [`ServerStats::rpcs_ran_on`](crate::ServerStats::rpcs_ran_on).
    ///
    /// A method that is not of this service fails when the server is bound.
    /// ```
    /// use trunkline_core::Method;
    /// use trunkline_server::{BoxService, GrpcService};
    ///
    /// // With generated code: `LedgerServer::new(ledger).run_to_completion::<ledger::Transfer>()`.
    /// fn careful<Transfer: Method>(ledger: impl GrpcService) -> BoxService {
    ///     ledger.boxed().run_to_completion::<Transfer>()
    /// }
    /// ```
    #[must_use]
    pub fn run_to_completion<M: Method>(mut self) -> Self {
        let on_cancel = OnCancel::RunToCompletion;
        self.methods.set_on_cancel(M::DESCRIPTOR.path, on_cancel);
        self
    }

    /// Begins the handler of `M` on the task of its connection, and gives it a task of its own only
    /// if it has to wait: saves the start of a task for each call that is answered at once.
    ///
    /// **Dangerous**: what the handler does until it first waits is done in the place of everything
    /// else on that connection. One that computes, or blocks its thread, keeps all other calls of
    /// the connection from being read, answered, cancelled and timed out meanwhile; the connection
    /// may even be given up, because it does not answer PINGs. It is for handlers that are known
    /// to be done within microseconds, and gains where calls come one by one: measure before. A
    /// panic ends its own call alone, as ever.
    ///
    /// A method that is not of this service fails when the server is bound.
    /// ```
    /// use trunkline_core::Method;
    /// use trunkline_server::{BoxService, GrpcService};
    ///
    /// // With generated code: `CacheServer::new(cache).start_inline::<cache::Get>()`.
    /// fn eager<Get: Method>(cache: impl GrpcService) -> BoxService {
    ///     cache.boxed().start_inline::<Get>()
    /// }
    /// ```
    #[must_use]
    pub fn start_inline<M: Method>(mut self) -> Self {
        let first_poll = FirstPoll::OnConnection;
        self.methods.set_first_poll(M::DESCRIPTOR.path, first_poll);
        self
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
    ///     store.boxed().method_limits::<Put>(limits)
    /// }
    /// ```
    #[must_use]
    pub fn method_limits<M: Method>(mut self, limits: MethodLimits) -> Self {
        self.methods.set_limits(M::DESCRIPTOR.path, limits);
        self
    }
}

impl GrpcService for BoxService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }

    fn register(self, methods: &mut MethodTable) {
        methods.merge(self.methods);
    }

    fn file_descriptor(&self) -> Option<&'static FileDescriptor> {
        self.described.file()
    }

    fn boxed(self) -> Self {
        self
    }
}

impl fmt::Debug for BoxService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxService")
            .field(&self.descriptor.name)
            .finish()
    }
}
