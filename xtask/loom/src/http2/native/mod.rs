//! The cells of the engine written for gRPC, and doubles of the values that pass through them.

#[path = "../../../../../transport/src/http2/native/cell/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "a cell of the transport, of which the models use a part"
)]
pub(crate) mod cell;
#[path = "../../../../../transport/src/http2/native/link.rs"]
#[allow(
    dead_code,
    reason = "a cell of the transport, of which the models use a part"
)]
pub(crate) mod link;

#[path = "../../../../../transport/src/http2/native/lent.rs"]
#[allow(dead_code, reason = "of which the models use a part")]
pub(crate) mod lent;

pub(crate) mod models;

#[allow(dead_code, reason = "values of which the models use a part")]
pub(crate) mod connection;

#[allow(dead_code, reason = "values of which the models use a part")]
pub(crate) mod frame;

#[allow(dead_code, reason = "values of which the models use a part")]
pub(crate) mod stream;

#[allow(dead_code, reason = "values of which the models use a part")]
pub(crate) mod head;

pub(crate) mod hpack {
    #[derive(Debug)]
    pub(crate) struct Fields;
}
