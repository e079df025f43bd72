//! Which handler answers which path.

mod hash;
mod service;
mod table;
mod unknown;

use std::collections::HashSet;
use std::sync::Arc;

use trunkline_core::Status;

use crate::handler::{GrpcService, Serve};
use crate::interceptor::BoxInterceptor;
use crate::services::{self, Described};

pub use self::service::BoxService;
pub use self::table::MethodTable;
pub(crate) use self::table::{Place, Route};
pub(crate) use self::unknown::unknown;

/// A set of services, keyed by name.
///
/// [`ServerBuilder::add_service`](crate::ServerBuilder::add_service) fills one; make your own to
/// put services together in one place and serve them in another.
#[derive(Debug, Default)]
pub struct Router {
    methods: MethodTable,
    services: HashSet<&'static str>,
    pub(crate) described: Described,
    duplicate: Option<&'static str>,
}

impl Router {
    /// A router without services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service. The same name twice is reported when the server is bound.
    #[must_use]
    pub fn add_service(mut self, service: impl GrpcService) -> Self {
        let name = service.descriptor().name;
        if self.services.insert(name) {
            self.described.add(&service);
            service.register(&mut self.methods);
        } else {
            self.duplicate.get_or_insert(name);
        }
        self
    }

    /// Adds one method, and its service to those that are known. Several methods of one service
    /// may be added so; the same path twice is reported when the server is bound.
    #[must_use]
    pub fn add_method<M, S>(mut self, service: &Arc<S>) -> Self
    where
        M: Serve<S>,
        S: Send + Sync + 'static,
    {
        self.services.insert(M::DESCRIPTOR.service);
        self.methods.add::<M, S>(service);
        self
    }

    /// The names of the services.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().copied()
    }

    /// The services of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        for name in other.services {
            if !self.services.insert(name) {
                self.duplicate.get_or_insert(name);
            }
        }
        self.duplicate = self.duplicate.or(other.duplicate);
        self.described.merge(other.described);
        self.methods.merge(other.methods);
        self
    }

    /// The finished table, with these around every method.
    ///
    /// Errors: ALREADY_EXISTS names a service, or a path, that was added twice; NOT_FOUND a method
    /// that a service has no handler for and that was to run to completion.
    pub(crate) fn into_routes(mut self, interceptors: &[BoxInterceptor]) -> Result<Routes, Status> {
        self = services::with_reflection(self)?;
        if let Some(name) = self.duplicate {
            let text = format!("service {name} was added to the server twice");
            return Err(Status::already_exists(text));
        }
        if let Some(path) = self.methods.duplicate() {
            let text = format!("method {path} was added to the server twice");
            return Err(Status::already_exists(text));
        }
        if let Some(path) = self.methods.unknown() {
            let text = format!("method {path} is to run to completion: its service has none such");
            return Err(Status::not_found(text));
        }
        let mut methods = self.methods;
        methods.surround(Place::Outside, interceptors);
        Ok(Routes {
            methods,
            services: self.services,
        })
    }
}

/// A router with one service.
impl<S: GrpcService> From<S> for Router {
    fn from(service: S) -> Self {
        Self::new().add_service(service)
    }
}

/// The router as the connections use it: complete and immutable.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) methods: MethodTable,
    pub(crate) services: HashSet<&'static str>,
}
