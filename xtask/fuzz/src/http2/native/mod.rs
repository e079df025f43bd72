//! The engine's modules under the names that they know each other by.

#[path = "../../../../../transport/src/http2/native/frame/mod.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod frame;

pub(crate) mod reader;
