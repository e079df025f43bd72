//! The services that trunkline's own tests call, generated from `proto/`.

/// Everything the build script made.
mod generated {
    trunkline::include_protos!();
}

pub use generated::tests::{echo, ledger};
