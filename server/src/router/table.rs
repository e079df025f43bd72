//! From path to handler.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::hash::BuildPathHasher;
use crate::handler::{FirstPoll, Handler, MethodHandler, Serve};
use crate::interceptor::{BoxInterceptor, Chain};
use crate::rpc::OnCancel;
use crate::server::MethodLimits;

/// The handlers of a server by the `:path` of their requests.
///
/// A lookup hashes the path once, as it lies in the request, and allocates nothing. Only the exact
/// path matches: there is nothing to normalise, so nothing to get around.
#[derive(Default)]
pub struct MethodTable {
    routes: HashMap<&'static [u8], Route, BuildPathHasher>,
    duplicate: Option<&'static str>,
    unknown: Option<&'static str>,
}

/// One method: what answers it, and what surrounds that.
pub(crate) struct Route {
    pub(crate) handler: Box<dyn Handler>,
    /// `None` if nothing does.
    pub(crate) chain: Option<Chain>,
    pub(crate) on_cancel: OnCancel,
    pub(crate) limits: MethodLimits,
    pub(crate) first_poll: FirstPoll,
}

impl MethodTable {
    /// Lets `service` answer method `M`. A path added twice is reported when the server is bound.
    pub fn add<M, S>(&mut self, service: &Arc<S>)
    where
        M: Serve<S>,
        S: Send + Sync + 'static,
    {
        self.insert(Route {
            handler: Box::new(MethodHandler::<M, S>::new(Arc::clone(service))),
            chain: None,
            on_cancel: OnCancel::default(),
            limits: MethodLimits::new(),
            first_poll: FirstPoll::default(),
        });
    }

    /// What answers a path, which must match to the byte.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Route> {
        self.routes.get(path)
    }

    /// What becomes of this method's handler when its client gives up. A path that is not here is
    /// reported when the server is bound.
    pub(crate) fn set_on_cancel(&mut self, path: &'static str, on_cancel: OnCancel) {
        self.set_up(path, |route| route.on_cancel = on_cancel);
    }

    /// How large the messages of this method may be. As with
    /// [`set_on_cancel`](Self::set_on_cancel).
    pub(crate) fn set_limits(&mut self, path: &'static str, limits: MethodLimits) {
        self.set_up(path, |route| route.limits = limits);
    }

    /// Where this method's handler is polled first. As with
    /// [`set_on_cancel`](Self::set_on_cancel).
    pub(crate) fn set_first_poll(&mut self, path: &'static str, first_poll: FirstPoll) {
        self.set_up(path, |route| route.first_poll = first_poll);
    }

    fn set_up(&mut self, path: &'static str, set: impl FnOnce(&mut Route)) {
        match self.routes.get_mut(path.as_bytes()) {
            Some(route) => set(route),
            None => {
                self.unknown.get_or_insert(path);
            }
        }
    }

    /// A path that was to be set up and is not here, if any.
    pub(crate) const fn unknown(&self) -> Option<&'static str> {
        self.unknown
    }

    /// Puts these around every method, inside or outside of those that are there.
    pub(crate) fn surround(&mut self, place: Place, list: &[BoxInterceptor]) {
        if list.is_empty() {
            return;
        }
        for route in self.routes.values_mut() {
            let present = route.chain.as_deref().unwrap_or_default();
            let all = match place {
                Place::Inside => [present, list].concat(),
                Place::Outside => [list, present].concat(),
            };
            route.chain = Some(all.into());
        }
    }

    /// A path that was added twice, if any.
    pub(crate) const fn duplicate(&self) -> Option<&'static str> {
        self.duplicate
    }

    /// Takes over the other table's handlers.
    pub(crate) fn merge(&mut self, other: Self) {
        self.duplicate = self.duplicate.or(other.duplicate);
        self.unknown = self.unknown.or(other.unknown);
        for route in other.routes.into_values() {
            self.insert(route);
        }
    }

    fn insert(&mut self, route: Route) {
        let path = route.handler.descriptor().path;
        if self.routes.insert(path.as_bytes(), route).is_some() {
            self.duplicate.get_or_insert(path);
        }
    }
}

/// On which side of the interceptors that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Inside,
    Outside,
}

impl fmt::Debug for MethodTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.values();
        let paths = routes.map(|route| route.handler.descriptor().path);
        f.debug_set().entries(paths).finish()
    }
}
