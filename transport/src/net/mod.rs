//! The kinds of byte stream that trunkline opens and accepts by itself.

/// Connections inside one process: for tests, examples and embedded servers.
pub mod memory;
pub(crate) mod tcp;
