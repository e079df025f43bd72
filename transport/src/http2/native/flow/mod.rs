//! Windows (RFC 9113 §5.2, §6.9).

mod recv;
mod send;

pub(super) use self::recv::RecvWindow;
pub(super) use self::send::{Overflow, SendWindow};

/// The largest window there is (RFC 9113 §6.9.1).
pub(super) const MAX_WINDOW: u32 = (1 << 31) - 1;
