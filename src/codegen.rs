//! The paths that generated code uses. Not for people: what is here follows `trunkline-codegen`.

pub use trunkline_core::{
    Codec, Idempotency, Metadata, Method, MethodDescriptor, Response, ServiceDescriptor, Shape,
    Status,
};

#[cfg(feature = "prost")]
pub use prost;

#[cfg(feature = "prost")]
pub use prost_types;

#[cfg(feature = "prost")]
pub use trunkline_core::ProstCodec;

#[cfg(feature = "client")]
pub use trunkline_client as client;

#[cfg(feature = "server")]
pub use trunkline_server as server;
