//! The paths that generated code uses. Not for people: what is here follows `trunkline-codegen`.

pub use trunkline_core::codegen::*;

#[cfg(feature = "client")]
pub use trunkline_client as client;

#[cfg(feature = "server")]
pub use trunkline_server as server;
