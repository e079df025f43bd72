//! What is generated from proto/.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/connectrpc.conformance.v1.rs"));
}

pub(crate) use generated::*;
