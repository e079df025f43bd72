//! The paths of generated clients, for a crate that builds on this one alone. Not for people: it follows `trunkline-codegen`.

pub use crate as client;
pub use trunkline_core::codegen::*;
