//! The kinds of byte stream that trunkline opens and accepts by itself.

pub mod memory;
pub(crate) mod sockets;
pub(crate) mod tcp;
pub(crate) mod tcp_config;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "tcp_linux.rs"]
mod tcp_platform;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "tcp_other.rs"]
mod tcp_platform;
#[cfg(unix)]
pub(crate) mod unix;
#[cfg(not(unix))]
#[path = "unix_missing.rs"]
pub(crate) mod unix;
