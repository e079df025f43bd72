//! The parts of trunkline's own HTTP/2 engine that know no IO, and targets that feed them directly.
//!
//! They are the product's own source files, included by their paths, because they are private.
//! Their unit tests run where they belong.

pub(crate) mod native;

pub(crate) use trunkline_transport::http2::{RequestHead, ResponseForm};
