//! Name resolution: from a target to the addresses it stands for.

mod dns;
mod ip;
mod target;

use std::pin::Pin;

use trunkline_core::Status;
use trunkline_transport::Address;

use crate::subchannel::BackoffConfig;

pub use target::TargetError;
pub(crate) use target::{Endpoint, Target};

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a resolver found out.
#[derive(Debug)]
pub(crate) enum ResolverUpdate {
    Addresses(Vec<Address>),
    Failed(Status),
}

/// Watches one name. The first update comes by itself, later ones when they change or are asked for.
pub(crate) trait Resolver: Send + 'static {
    /// The next thing found out. Cancel safe.
    fn next(&mut self) -> BoxFuture<'_, ResolverUpdate>;

    /// A hint that what was found before may be outdated; a resolver bounds how often it follows.
    fn resolve_now(&mut self);
}

/// The resolver for an endpoint.
pub(crate) fn resolver(endpoint: &Endpoint, backoff: &BackoffConfig) -> Box<dyn Resolver> {
    match endpoint {
        Endpoint::Addresses(addresses) => Box::new(ip::Fixed::new(addresses.clone())),
        Endpoint::Name { host, port } => Box::new(dns::Dns::new(host, *port, backoff.clone())),
    }
}
