//! The engine's modules under the names that they know each other by.

#[path = "../../../../../transport/src/http2/native/frame/mod.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod frame;
#[path = "../../../../../transport/src/http2/native/head/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the product's, of which targets use a part"
)]
mod head;
#[path = "../../../../../transport/src/http2/native/hpack/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the product's, of which targets use a part"
)]
mod hpack;

pub(crate) mod heads;
pub(crate) mod reader;
