//! The cells of the engine.

pub(crate) mod cell;
#[path = "../../../../../transport/src/http2/h2/gauge.rs"]
#[allow(
    dead_code,
    reason = "a cell of the transport, of which the models use a part"
)]
pub(crate) mod gauge;
#[path = "../../../../../transport/src/http2/h2/link.rs"]
#[allow(
    dead_code,
    reason = "a cell of the transport, of which the models use a part"
)]
pub(crate) mod link;
#[path = "../../../../../transport/src/http2/h2/rest.rs"]
#[allow(
    dead_code,
    reason = "a cell of the transport, of which the models use a part"
)]
pub(crate) mod rest;

pub(crate) mod models;
