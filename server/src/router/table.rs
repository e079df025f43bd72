//! From path to handler.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::handler::{Handler, MethodHandler, Serve};

/// The handlers of a server by the `:path` of their requests.
///
/// A lookup hashes the path once, as it lies in the request, and allocates nothing. Only the exact
/// path matches: there is nothing to normalise, so nothing to get around.
#[derive(Default)]
pub struct MethodTable {
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    duplicate: Option<&'static str>,
}

impl MethodTable {
    /// Lets `service` answer method `M`. A path added twice is reported when the server is bound.
    pub fn add<M, S>(&mut self, service: &Arc<S>)
    where
        M: Serve<S>,
        S: Send + Sync + 'static,
    {
        self.insert(Arc::new(MethodHandler::<M, S>::new(Arc::clone(service))));
    }

    /// The handler for a path, which must match to the byte.
    pub(crate) fn find(&self, path: &str) -> Option<&dyn Handler> {
        self.handlers.get(path).map(AsRef::as_ref)
    }

    /// A path that was added twice, if any.
    pub(crate) const fn duplicate(&self) -> Option<&'static str> {
        self.duplicate
    }

    /// Takes over the other table's handlers.
    pub(crate) fn merge(&mut self, other: Self) {
        self.duplicate = self.duplicate.or(other.duplicate);
        for handler in other.handlers.into_values() {
            self.insert(handler);
        }
    }

    fn insert(&mut self, handler: Arc<dyn Handler>) {
        let path = handler.descriptor().path;
        if self.handlers.insert(path, handler).is_some() {
            self.duplicate.get_or_insert(path);
        }
    }
}

impl fmt::Debug for MethodTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}
