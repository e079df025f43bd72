//! The engine's HPACK, under the names that it knows the rest by.

mod blocks;
pub(crate) mod compare;
mod h2_server;
mod head;
#[path = "../../../../../transport/src/http2/native/hpack/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the product's, of which this uses a part"
)]
mod hpack;
