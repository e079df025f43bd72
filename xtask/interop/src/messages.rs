//! What is generated from proto/testing.proto, and short ways to make it.

use trunkline::Code;

mod testing {
    include!(concat!(env!("OUT_DIR"), "/grpc.testing.rs"));
}

pub(crate) use testing::*;

/// Both streams and unary calls echo these two.
pub(crate) const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
pub(crate) const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// This many zeros; a negative size is none.
pub(crate) fn payload(size: i32) -> Option<Payload> {
    let body = vec![0; usize::try_from(size).unwrap_or(0)];
    Some(Payload {
        body,
        ..Payload::default()
    })
}

/// The bytes in a payload, none if it is absent.
pub(crate) fn size(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}

/// The code that a peer asked for by number.
pub(crate) fn code(number: i32) -> Code {
    u32::try_from(number).map_or(Code::Unknown, Code::from_number)
}
