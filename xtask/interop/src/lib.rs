//! The interop services and the interop cases on trunkline, for the programs beside this file.

mod cases;
mod compressed_cases;
mod extra;
mod flags;
mod gzip;
mod messages;
mod orca;
mod orca_cases;
mod service;
mod soak;
mod tools;
mod unary_cases;

#[cfg(test)]
mod tests;

pub use cases::{Dial, Failure, run_case};
pub use flags::Flags;
pub use gzip::compressors;
pub use service::Interop;
pub use soak::Soak;
pub use tools::{ReflectionVersions, serve_tools};
