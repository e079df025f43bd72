//! The interop service and the interop cases on trunkline, for the programs beside this file.

mod cases;
mod compressed_cases;
mod extra;
mod flags;
mod messages;
mod service;
mod tools;
mod unary_cases;

pub use cases::{Failure, run_case};
pub use flags::Flags;
pub use service::Interop;
pub use tools::{ReflectionVersions, serve_tools};
