//! The services that trunkline's own tests call, generated from `proto/`.

/// Everything the build script made.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use generated::tests::{echo, ledger};
