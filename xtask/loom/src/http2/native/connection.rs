//! What the machine is told, and what it tells.

#[path = "../../../../../transport/src/http2/native/connection/arrived.rs"]
mod arrived;
#[path = "../../../../../transport/src/http2/native/connection/orders.rs"]
mod orders;

pub(super) use self::arrived::Inbound;
pub(super) use self::orders::{End, Order, Start, StreamKey};

pub(crate) const MAX_INTERIM: u8 = 0;
pub(crate) const MEMORY_SHORT: &str = "memory";
pub(crate) const TOO_MANY_INTERIM: &str = "interim";
