//! The services that trunkline's own tests call, generated from `proto/`.

/// Everything the build script made.
mod generated {
    trunkline::include_protos!();
}

/// Clients of the standard services, which the server has in generated code of its own.
mod standard {
    trunkline::include_protos!("standard.rs");
}

pub use generated::grpc::testing as interop;
pub use generated::tests::{catalog, echo, ledger};
pub use standard::grpc::{health, reflection};
