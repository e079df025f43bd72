//! Failures of the h2 crate as statuses that name the peer, the stage and the cause.

use h2::Reason;
use trunkline_core::{Stage, Status};

use super::link::Link;
use crate::http2::failure::{
    closed_by_peer, closed_for_breach, connection_failed, cut_off, io_error, left_out,
    reset_by_peer, reset_by_us,
};

/// Why a stream failed while its connection may live on.
///
/// Surely unprocessed, so that another connection may take the call: REFUSED_STREAM, and any
/// stream that the peer's GOAWAY left out (RFC 9113 §6.8, §8.7).
pub(super) fn stream_error(error: &h2::Error, link: &Link, stage: Stage) -> Status {
    if error.is_reset() {
        let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        return reset(reason, error.is_remote(), link, stage);
    }
    if error.is_go_away() && error.is_remote() {
        return left_out(error, link.peer(), stage);
    }
    match link.cause() {
        Some(cause) => cut_off(cause, stage),
        None => connection_error(error, link, stage),
    }
}

/// Why a whole connection failed.
pub(super) fn connection_error(error: &h2::Error, link: &Link, stage: Stage) -> Status {
    let peer = link.peer();
    if let Some(io) = error.get_io() {
        return io_error(io, peer, stage);
    }
    if !error.is_go_away() {
        connection_failed(error, peer, stage)
    } else if error.is_remote() {
        let name = reason_name(error.reason().unwrap_or(Reason::NO_ERROR));
        closed_by_peer(name, error, peer, stage)
    } else {
        closed_for_breach(error.reason().map(u32::from), error, peer, stage)
    }
}

/// What the peer did, if this side has closed the connection for it.
pub(super) fn breach(error: &h2::Error) -> Option<String> {
    (error.is_go_away() && !error.is_remote()).then(|| error.to_string())
}

/// The peer asks for less of something, PINGs perhaps.
pub(super) fn asks_for_calm(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM)
}

/// The peer goes away, and blames nobody.
pub(super) fn says_goodbye(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

/// A stream that one side reset.
pub(super) fn reset(reason: Reason, remote: bool, link: &Link, stage: Stage) -> Status {
    let (code, name) = (u32::from(reason), reason_name(reason));
    if remote {
        reset_by_peer(code, name, link.peer(), stage)
    } else {
        reset_by_us(code, name, link.peer(), stage)
    }
}

/// The name of an HTTP/2 error code (RFC 9113 §7).
fn reason_name(reason: Reason) -> String {
    format!("{reason:?} (0x{:x})", u32::from(reason))
}

/// True if h2 refused because of how it was called, not because of the connection.
pub(super) fn is_misuse(error: &h2::Error) -> bool {
    !error.is_io() && !error.is_go_away() && !error.is_reset() && error.reason().is_none()
}
