//! The paths that generated code uses in every crate. Not for people: what is here follows `trunkline-codegen`.

pub use crate::{
    Codec, FileDescriptor, Idempotency, Metadata, Method, MethodDescriptor, Response,
    ServiceDescriptor, Shape, Status,
};

#[cfg(feature = "prost")]
pub use crate::ProstCodec;

#[cfg(feature = "prost")]
pub use prost;

#[cfg(feature = "prost")]
pub use prost_types;
