//! What leaves of a failure: the status for the client, and the rest for the log.

use std::error::Error;
use std::fmt;

use trunkline_core::protocol::fits_trailers;
use trunkline_core::{Code, Origin, Stage, Status};

/// The status that an RPC of `method` is answered with, of the one that its handler or an
/// interceptor returned.
///
/// One of a call that the handler made is passed on, not taken for the handler's own; see
/// [`passed_on`]. Whatever the client is not told is logged here, once: a source, a hidden text,
/// the length of a text that is cut.
pub(super) fn settle(status: Status, method: &'static str) -> Status {
    let settled = own(status);
    if let Some(source) = settled.source() {
        let (status, source) = (&settled, Chain(source));
        if settled.stage() == Some(Stage::Message) {
            // A broken message is its client's doing, who must not fill our log with it.
            tracing::debug!(method, %status, %source, "handler failed");
        } else {
            tracing::warn!(method, %status, %source, "handler failed");
        }
    }
    if !fits_trailers(&settled) {
        tracing::warn!(
            method,
            code = %settled.code(),
            message_bytes = settled.message().len(),
            details_bytes = settled.details().len(),
            "status too large to be sent whole",
        );
    }
    settled
}

/// The status as one of this RPC: what interceptors see, and may add to.
pub(crate) fn own(status: Status) -> Status {
    match status.method() {
        Some(call) => passed_on(&status, call),
        None => status,
    }
}

/// What the failure of a call is to the caller of its caller.
///
/// The code stays: it says what happened, and whether trying again may help. `UNAUTHENTICATED` and
/// `UNIMPLEMENTED` do not, as they say something of the very call that they end: that this
/// server's credentials are bad, or this server's method missing. The text names the call. What
/// the other server said comes after that; what went wrong on the way there, with addresses, does
/// not leave. Neither do metadata and details, which were meant for this server. Who wants all of
/// it to travel says [`Status::forward`].
fn passed_on(status: &Status, call: &'static str) -> Status {
    let (code, hidden) = match status.code() {
        Code::Unauthenticated | Code::Unimplemented => (Code::Internal, true),
        code => (code, status.origin() != Origin::Peer),
    };
    let text = if hidden || status.message().is_empty() {
        format!("a call to {call} failed")
    } else {
        format!("a call to {call} failed: {}", status.message())
    };
    let passed = Status::new(code, text);
    if hidden {
        passed.with_source(status.clone())
    } else {
        passed
    }
}

/// An error and its causes.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "/b.B/Find";

    fn passed(status: Status) -> (Code, String) {
        let status = settle(status.with_method(CALL), "/a.A/Get");
        assert!(status.details().is_empty() && status.metadata().is_empty());
        assert_eq!(status.method(), None);
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn the_codes_that_speak_of_the_call_itself_are_not_passed_on() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            let peers = Status::new(code, "why").with_origin(Origin::Peer);
            let peers = peers.with_details(vec![1]);
            let (arrived, text) = passed(peers);
            if matches!(code, Code::Unauthenticated | Code::Unimplemented) {
                assert_eq!(arrived, Code::Internal, "{code}");
                assert_eq!(text, "a call to /b.B/Find failed");
            } else {
                assert_eq!(arrived, code);
                assert_eq!(text, "a call to /b.B/Find failed: why");
            }
        }
    }

    #[test]
    fn what_went_wrong_on_the_way_keeps_its_addresses_here() {
        for origin in [Origin::Transport, Origin::Local] {
            let refused = Status::unavailable("10.0.0.7:1: refused").with_origin(origin);
            assert_eq!(
                passed(refused),
                (Code::Unavailable, "a call to /b.B/Find failed".to_owned())
            );
        }
    }

    #[test]
    fn a_handlers_own_status_is_left_alone() {
        let own = Status::unauthenticated("who are you?").with_details(vec![1]);
        let settled = settle(own, "/a.A/Get");
        assert_eq!(settled.code(), Code::Unauthenticated);
        assert_eq!(settled.details(), [1]);
    }
}
