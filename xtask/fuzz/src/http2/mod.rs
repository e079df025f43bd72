//! The parts of trunkline's own HTTP/2 engine that know no IO, and targets that feed them directly.
//!
//! They are the product's own source files, included here by their paths, because they are private.
//! Their unit tests run where they belong.

pub(crate) mod native;

#[rustfmt::skip]
#[path = "../../../../transport/src/http2/bdp.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod bdp;
#[path = "../../../../transport/src/http2/drain.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod drain;
#[rustfmt::skip]
#[path = "../../../../transport/src/http2/held.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod held;
#[path = "../../../../transport/src/http2/keepalive.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the product's, of which targets use a part"
)]
mod keepalive;
#[path = "../../../../transport/src/http2/quota.rs"]
#[allow(dead_code, reason = "the product's, of which targets use a part")]
mod quota;

mod defence {
    pub(crate) use trunkline_transport::http2::Defence;
}

pub(crate) use trunkline_transport::http2::{RequestHead, ResponseForm};
