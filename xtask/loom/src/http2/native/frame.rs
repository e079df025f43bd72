//! Error codes, and numbers that no model looks at.

#[path = "../../../../../transport/src/http2/native/frame/reason.rs"]
mod reason;

pub(super) use self::reason::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId;
