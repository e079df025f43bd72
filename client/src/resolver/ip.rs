//! Targets that are addresses already: `ipv4:`, `ipv6:`, IP literals, `memory:`.

use trunkline_transport::Address;

use super::{BoxFuture, Resolver, ResolverUpdate};

/// Gives its addresses once, and nothing ever after.
#[derive(Debug)]
pub(crate) struct Fixed(Option<Vec<Address>>);

impl Fixed {
    pub(crate) fn new(addresses: Vec<Address>) -> Self {
        Self(Some(addresses))
    }
}

impl Resolver for Fixed {
    fn next(&mut self) -> BoxFuture<'_, ResolverUpdate> {
        match self.0.take() {
            Some(addresses) => Box::pin(async { ResolverUpdate::Addresses(addresses) }),
            None => Box::pin(std::future::pending()),
        }
    }

    fn resolve_now(&mut self) {}
}
