//! The kinds of byte stream that trunkline opens and accepts by itself.

pub mod memory;
pub(crate) mod tcp;
