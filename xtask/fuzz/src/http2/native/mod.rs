//! The engine's modules under the names that they know each other by.
#![allow(
    dead_code,
    unused_imports,
    reason = "the product's, of which targets use a part"
)]

#[path = "../../../../../transport/src/http2/native/connection/mod.rs"]
mod connection;
#[path = "../../../../../transport/src/http2/native/flow/mod.rs"]
mod flow;
#[path = "../../../../../transport/src/http2/native/frame/mod.rs"]
mod frame;
#[path = "../../../../../transport/src/http2/native/guard/mod.rs"]
mod guard;
#[path = "../../../../../transport/src/http2/native/head/mod.rs"]
mod head;
#[path = "../../../../../transport/src/http2/native/hpack/mod.rs"]
mod hpack;
#[path = "../../../../../transport/src/http2/native/lent.rs"]
mod lent;
#[rustfmt::skip]
#[path = "../../../../../transport/src/http2/native/out.rs"]
mod out;
#[path = "../../../../../transport/src/http2/native/ping.rs"]
mod ping;
#[path = "../../../../../transport/src/http2/native/schedule.rs"]
mod schedule;
#[path = "../../../../../transport/src/http2/native/stall.rs"]
mod stall;
#[path = "../../../../../transport/src/http2/native/stream/mod.rs"]
mod stream;
#[path = "../../../../../transport/src/http2/native/strikes.rs"]
mod strikes;

pub(crate) mod beginnings;
pub(crate) mod blocks;
pub(crate) mod core;
pub(crate) mod heads;
mod made;
pub(crate) mod reader;
pub(crate) mod spoken;
mod witness;
