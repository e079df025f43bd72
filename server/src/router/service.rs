//! A service whose type is erased.

use std::fmt;

use trunkline_core::ServiceDescriptor;

use super::{MethodTable, Place};
use crate::handler::GrpcService;
use crate::interceptor::BoxInterceptor;
use crate::rpc::OnCancel;
use crate::server::MethodLimits;

/// Any [`GrpcService`] with its type erased, and with what surrounds its RPCs.
///
/// What [`GrpcService::intercept`] gives, under a name that can be stored:
/// ```
/// use trunkline_server::{BoxService, Server};
///
/// fn serve(services: Vec<BoxService>) -> trunkline_server::ServerBuilder {
///     let server = Server::insecure();
///     services
///         .into_iter()
///         .fold(server, |server, service| server.add_service(service))
/// }
/// # let _ = serve(Vec::new());
/// ```
pub struct BoxService {
    descriptor: &'static ServiceDescriptor,
    methods: MethodTable,
}

impl BoxService {
    pub(crate) fn new(service: impl GrpcService) -> Self {
        let descriptor = service.descriptor();
        let mut methods = MethodTable::default();
        service.register(&mut methods);
        Self {
            descriptor,
            methods,
        }
    }

    /// The same service with these inside of what surrounds it already.
    pub(crate) fn with_interceptors(
        mut self,
        list: impl IntoIterator<Item = BoxInterceptor>,
    ) -> Self {
        let list: Vec<_> = list.into_iter().collect();
        self.methods.surround(Place::Inside, &list);
        self
    }

    pub(crate) fn with_on_cancel(mut self, path: &'static str, on_cancel: OnCancel) -> Self {
        self.methods.set_on_cancel(path, on_cancel);
        self
    }

    pub(crate) fn with_limits(mut self, path: &'static str, limits: MethodLimits) -> Self {
        self.methods.set_limits(path, limits);
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
