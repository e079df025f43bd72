//! The interop service and the interop cases on trunkline, for the two programs beside this file.

mod cases;
mod compressed_cases;
mod extra;
mod flags;
mod messages;
mod service;
mod unary_cases;

pub use cases::{Failure, run_case};
pub use flags::Flags;
pub use service::Interop;
