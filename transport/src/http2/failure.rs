//! Failures of connections and streams as statuses that name the peer, the stage and the cause:
//! the same texts, codes and origins whichever engine found them.

use std::fmt::Display;
use std::time::Duration;

use trunkline_core::{Code, Metadata, Origin, Stage, Status};

use crate::Peer;

/// Error codes that mean something of their own here (RFC 9113 §7).
pub(super) mod reason {
    pub(in crate::http2) const PROTOCOL_ERROR: u32 = 0x1;
    pub(in crate::http2) const REFUSED_STREAM: u32 = 0x7;
    pub(in crate::http2) const COMPRESSION_ERROR: u32 = 0x9;
    pub(in crate::http2) const ENHANCE_YOUR_CALM: u32 = 0xb;
}

/// A stream that was open when the connection was lost, for this reason. It may have been
/// processed, whatever became of the connection.
pub(super) fn cut_off(cause: &Status, stage: Stage) -> Status {
    cause.clone().with_stage(stage).with_unprocessed(false)
}

/// A stream that the peer's GOAWAY left out: surely unprocessed, so that another connection may
/// take the call (RFC 9113 §6.8, §8.7).
pub(super) fn left_out(why: impl Display, peer: &Peer, stage: Stage) -> Status {
    let text = format!("the server at {} is going away: {why}", peer.address());
    transport(Code::Unavailable, text, stage).with_unprocessed(true)
}

/// The whole connection failed.
pub(super) fn connection_failed(why: impl Display, peer: &Peer, stage: Stage) -> Status {
    let text = format!("connection to {} failed: {why}", peer.address());
    transport(Code::Unavailable, text, stage)
}

/// The peer's GOAWAY with this code, given as `NAME (0x0)`.
pub(super) fn closed_by_peer(
    name: impl Display,
    why: impl Display,
    peer: &Peer,
    stage: Stage,
) -> Status {
    let peer = peer.address();
    let text = format!("connection closed by {peer} with GOAWAY {name}: {why}");
    transport(Code::Unavailable, text, stage)
}

/// The peer broke a rule of HTTP/2, so this side has closed with this code.
pub(super) fn closed_for_breach(
    code: Option<u32>,
    why: impl Display,
    peer: &Peer,
    stage: Stage,
) -> Status {
    let (peer, why) = (peer.address(), why.to_string());
    let hint = breach_hint(code, &why);
    let text = format!("connection to {peer} closed for its breach of HTTP/2: {why}{hint}");
    transport(Code::Unavailable, text, stage)
}

/// What the peer may have done. An engine says it, if at all, in the text of the GOAWAY that it
/// sent.
fn breach_hint(code: Option<u32>, text: &str) -> &'static str {
    match code {
        Some(reason::ENHANCE_YOUR_CALM) => {
            if text.contains("too_many_continuations") || text.contains("header_") {
                ": a header block far over the limit (setting max_header_list_bytes)"
            } else if text.contains("too_many_data_frames") {
                ": too many unread small DATA frames (setting small_data_budget_bytes)"
            } else if text.contains("resets") {
                ": too many resets"
            } else if text.contains("too_many_") {
                ""
            } else {
                ": a header block far over the limit (setting max_header_list_bytes), too many \
                 unread small DATA frames (setting small_data_budget_bytes), or too many resets"
            }
        }
        Some(reason::COMPRESSION_ERROR) => {
            ": a malformed header block, or one far over the limit (setting max_header_list_bytes)"
        }
        _ => "",
    }
}

/// A socket that failed under an HTTP/2 connection.
///
/// A TLS stream says `InvalidData` of what its peer does to TLS. Until HTTP/2 is agreed on, that is
/// the rest of the handshake: with TLS 1.3 a server judges the client's certificate only then.
pub(super) fn io_error(error: &std::io::Error, peer: &Peer, stage: Stage) -> Status {
    let text = format!("connection to {} lost: {error}", peer.address());
    let by_tls = error.kind() == std::io::ErrorKind::InvalidData && peer.security().tls().is_some();
    let stage = match stage {
        Stage::Http2 if by_tls => Stage::Tls,
        stage => stage,
    };
    // Whoever failed keeps the error, so the source is a copy of what identifies it.
    let source = std::io::Error::new(error.kind(), error.to_string());
    transport(Code::Unavailable, text, stage).with_source(source)
}

/// A peer that gave no sign of life when it was asked for one.
pub(super) fn keepalive_error(timeout: Duration, peer: &Peer, stage: Stage) -> Status {
    let peer = peer.address();
    let text = format!(
        "connection to {peer} given up by keepalive: no answer to a PING within {timeout:?} \
         (setting keepalive.timeout)"
    );
    transport(Code::Unavailable, text, stage)
}

/// A stream that the peer reset with this code, given as a number and as `NAME (0x0)`.
pub(super) fn reset_by_peer(code: u32, name: impl Display, peer: &Peer, stage: Stage) -> Status {
    let text = format!("stream reset by {}: {name}", peer.address());
    transport(Code::from_reset_reason(code), text, stage)
        .with_unprocessed(code == reason::REFUSED_STREAM)
}

/// A stream that this side reset.
pub(super) fn reset_by_us(code: u32, name: impl Display, peer: &Peer, stage: Stage) -> Status {
    // Nothing says which of the two it was.
    let hint = match code {
        reason::PROTOCOL_ERROR => {
            ": a malformed header block, or one over the limit (setting max_header_list_bytes)"
        }
        _ => "",
    };
    let peer = peer.address();
    let text = format!("stream to {peer} reset by this side: {name}{hint}");
    transport(Code::from_reset_reason(code), text, stage)
}

/// A stream that this side reset for what it knows.
pub(super) fn fault(code: u32, name: impl Display, why: &str, peer: &Peer, stage: Stage) -> Status {
    let peer = peer.address();
    let text = format!("stream to {peer} reset by this side: {name}: {why}");
    transport(Code::from_reset_reason(code), text, stage)
}

/// The same failure of a handshake, told better.
pub(super) fn transport_failure(text: String, why: &Status) -> Status {
    transport(why.code(), text, why.stage().unwrap_or(Stage::Http2))
        .with_unprocessed(why.is_unprocessed())
        .with_source(why.clone())
}

/// What a reset, or the loss of the connection, means to the handler of a server.
pub(super) fn gone(why: &Status) -> Status {
    transport(Code::Cancelled, why.message().to_owned(), Stage::Request)
}

/// What a sender is told when the RPC ended while it still had something to send.
pub(super) fn early_end(what: &'static str) -> Status {
    transport(Code::Cancelled, what.to_owned(), Stage::Request)
}

/// What a half that outlives its RPC is told.
pub(super) fn ended_status(outcome: Result<&Metadata, &Status>) -> Status {
    match outcome {
        Ok(_) => Status::new(Code::Cancelled, "the RPC has ended: its handler returned"),
        Err(status) => status.clone(),
    }
}

/// More interim responses than anybody has reason to send. Not the transport's fault, and not
/// worth a retry: the server answers so.
pub(super) fn too_many_interim(limit: impl Display, peer: &Peer) -> Status {
    let server = peer.address();
    let text = format!("the server at {server} sent more than {limit} interim (1xx) responses");
    transport(Code::Internal, text, Stage::Response)
}

/// Never seen by users: the half above remembers how its stream ended.
pub(super) fn already_ended() -> Status {
    Status::cancelled("the call has ended")
        .with_origin(Origin::Local)
        .with_stage(Stage::Response)
}

/// Nothing was sent, and nothing can be.
pub(super) fn unavailable(text: &'static str) -> Status {
    Status::new(Code::Unavailable, text)
        .with_origin(Origin::Transport)
        .with_unprocessed(true)
}

fn transport(code: Code, text: String, stage: Stage) -> Status {
    Status::new(code, text)
        .with_origin(Origin::Transport)
        .with_stage(stage)
}
