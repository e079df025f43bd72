//! The paths of generated servers, for a crate that builds on this one alone. Not for people: it follows `trunkline-codegen`.

pub use crate as server;
pub use trunkline_core::codegen::*;
