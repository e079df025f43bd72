//! The transport's cells, at the places where they are at home.

pub(crate) mod failure;
pub(crate) mod h2;
pub(crate) mod native;
#[path = "../../../../transport/src/http2/quota.rs"]
pub(crate) mod quota;
#[path = "../../../../transport/src/http2/slots.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a cell of the transport, public there, of which the models use a part"
)]
pub(crate) mod slots;

pub(crate) use slots::Permit;

/// A connection that has no stream to give.
#[derive(Debug)]
pub(crate) struct ClientConnection;

impl ClientConnection {
    pub(crate) const fn try_permit(&self) -> Option<Permit> {
        None
    }
}

/// What a response begins with: nothing that a model looks at.
#[derive(Debug)]
pub(crate) struct ResponseForm;

/// How an RPC ended that nobody could wait for.
#[derive(Debug)]
pub(crate) enum Finished {
    Trailers,
    Reset,
}

/// Who is at the other end: nothing that a model looks at.
#[derive(Debug)]
pub(crate) struct Peer;
