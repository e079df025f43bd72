//! The transport's cells, at the places where they are at home.

pub(crate) mod h2;
#[path = "../../../../transport/src/http2/quota.rs"]
pub(crate) mod quota;

/// Who is at the other end: nothing that a model looks at.
#[derive(Debug)]
pub(crate) struct Peer;
