//! Failures of the h2 crate as statuses that name the peer, the stage and the cause.

use std::time::Duration;

use h2::Reason;
use trunkline_core::{Code, Origin, Stage, Status};

use super::link::Link;

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
        let text = format!(
            "the server at {} is going away: {error}",
            link.peer().address()
        );
        return transport(Code::Unavailable, text, stage).with_unprocessed(true);
    }
    match link.cause() {
        // A stream that was open may have been processed, whatever became of the connection.
        Some(cause) => cause.clone().with_stage(stage).with_unprocessed(false),
        None => connection_error(error, link, stage),
    }
}

/// Why a whole connection failed.
pub(super) fn connection_error(error: &h2::Error, link: &Link, stage: Stage) -> Status {
    let peer = link.peer().address();
    if let Some(io) = error.get_io() {
        return io_error(io, link, stage);
    }
    let text = if !error.is_go_away() {
        format!("connection to {peer} failed: {error}")
    } else if error.is_remote() {
        let name = reason_name(error.reason().unwrap_or(Reason::NO_ERROR));
        format!("connection closed by {peer} with GOAWAY {name}: {error}")
    } else {
        let hint = breach_hint(error);
        format!("connection to {peer} closed for its breach of HTTP/2: {error}{hint}")
    };
    transport(Code::Unavailable, text, stage)
}

/// What the peer may have done. h2 says it, if at all, in the text of the GOAWAY that it sent.
fn breach_hint(error: &h2::Error) -> &'static str {
    match error.reason() {
        Some(Reason::ENHANCE_YOUR_CALM) => match error.to_string() {
            text if text.contains("too_many_continuations") || text.contains("header_list") => {
                ": a header block far over the limit (setting max_header_list_bytes)"
            }
            text if text.contains("too_many_data_frames") => {
                ": too many unread small DATA frames (setting small_data_budget_bytes)"
            }
            text if text.contains("resets") => ": too many resets",
            _ => {
                ": a header block far over the limit (setting max_header_list_bytes), too many \
                 unread small DATA frames (setting small_data_budget_bytes), or too many resets"
            }
        },
        Some(Reason::COMPRESSION_ERROR) => {
            ": a malformed header block, or one far over the limit (setting max_header_list_bytes)"
        }
        _ => "",
    }
}

/// A socket that failed under an HTTP/2 connection.
///
/// A TLS stream says `InvalidData` of what its peer does to TLS. Until HTTP/2 is agreed on, that is
/// the rest of the handshake: with TLS 1.3 a server judges the client's certificate only then.
pub(super) fn io_error(error: &std::io::Error, link: &Link, stage: Stage) -> Status {
    let text = format!("connection to {} lost: {error}", link.peer().address());
    let by_tls =
        error.kind() == std::io::ErrorKind::InvalidData && link.peer().security().tls().is_some();
    let stage = match stage {
        Stage::Http2 if by_tls => Stage::Tls,
        stage => stage,
    };
    // h2 keeps its error, so the source is a copy of what identifies it.
    let source = std::io::Error::new(error.kind(), error.to_string());
    transport(Code::Unavailable, text, stage).with_source(source)
}

/// A peer that gave no sign of life when it was asked for one.
pub(super) fn keepalive_error(timeout: Duration, link: &Link, stage: Stage) -> Status {
    let peer = link.peer().address();
    let text = format!(
        "connection to {peer} given up by keepalive: no answer to a PING within {timeout:?} \
         (setting keepalive.timeout)"
    );
    transport(Code::Unavailable, text, stage)
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
    let number = u32::from(reason);
    let name = reason_name(reason);
    let peer = link.peer().address();
    let text = if remote {
        format!("stream reset by {peer}: {name}")
    } else {
        // h2 does not say which of the two it was.
        let hint = match reason {
            Reason::PROTOCOL_ERROR => {
                ": a malformed header block, or one over the limit (setting max_header_list_bytes)"
            }
            _ => "",
        };
        format!("stream to {peer} reset by this side: {name}{hint}")
    };
    transport(Code::from_reset_reason(number), text, stage)
        .with_unprocessed(remote && reason == Reason::REFUSED_STREAM)
}

/// The name of an HTTP/2 error code (RFC 9113 §7).
fn reason_name(reason: Reason) -> String {
    format!("{reason:?} (0x{:x})", u32::from(reason))
}

fn transport(code: Code, text: String, stage: Stage) -> Status {
    Status::new(code, text)
        .with_origin(Origin::Transport)
        .with_stage(stage)
}

/// The same failure of a handshake, told better.
pub(super) fn transport_failure(text: String, why: &Status) -> Status {
    transport(why.code(), text, why.stage().unwrap_or(Stage::Http2))
        .with_unprocessed(why.is_unprocessed())
        .with_source(why.clone())
}

/// True if h2 refused because of how it was called, not because of the connection.
pub(super) fn is_misuse(error: &h2::Error) -> bool {
    !error.is_io() && !error.is_go_away() && !error.is_reset() && error.reason().is_none()
}
