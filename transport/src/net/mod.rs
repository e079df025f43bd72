//! The kinds of byte stream that trunkline opens and accepts by itself.

pub mod memory;
pub(crate) mod sockets;
pub(crate) mod tcp;
#[cfg(unix)]
pub(crate) mod unix;
#[cfg(not(unix))]
#[path = "unix_missing.rs"]
pub(crate) mod unix;
