//! What an engine answers where HTTP/2 leaves a choice: the one place that is about it. The engine
//! of our own answers by the book, so its table is empty.

use trunkline::transport::http2::{ClientConfig, Engine};

use crate::support::Reaction::{self, Connection, Ignored, Stream};
use crate::support::{COMPRESSION_ERROR, PROTOCOL_ERROR, STREAM_CLOSED};

fn is_h2() -> bool {
    ClientConfig::default().engine == Engine::H2
}

/// A header block that cannot be read: COMPRESSION_ERROR by the book (RFC 9113 §4.3).
pub(super) fn undecodable() -> Reaction {
    Connection(if is_h2() {
        PROTOCOL_ERROR
    } else {
        COMPRESSION_ERROR
    })
}

/// A 1xx head with END_STREAM, to a request that has ended too: PROTOCOL_ERROR by the book, but
/// on the h2 crate the stream is closed on both sides by then, and its call has failed.
pub(super) fn interim_end() -> Reaction {
    if is_h2() {
        Ignored
    } else {
        Stream(PROTOCOL_ERROR)
    }
}

/// Rows of `frames` whose answer by the h2 crate is another than the one that the row asks for.
///
/// Nearly all are lawful: any error of a stream may be treated as one of the connection, and codes
/// may be replaced by PROTOCOL_ERROR (RFC 9113 §5.4.1, §7). What is not does no harm: the
/// permission to push is never used.
pub(super) fn own_answer(name: &str) -> Option<Reaction> {
    if !is_h2() {
        return None;
    }
    match name {
        "a window of nothing"
        | "priority of a wrong length"
        | "a PING of seven bytes"
        | "SETTINGS of five bytes"
        | "an acknowledgement with values"
        | "a window of three bytes"
        | "a reset of three bytes"
        | "a GOAWAY of seven bytes"
        | "too wide a window for every stream"
        | "an index beyond the table"
        | "a name beyond the table"
        | "a field cut short"
        | "a table over the limit"
        | "fields in capitals"
        | "HEADERS on a closed stream of a client's" => Some(Connection(PROTOCOL_ERROR)),
        "DATA on a closed stream" | "HEADERS on a closed stream" => Some(Stream(STREAM_CLOSED)),
        "a server that allows itself to push" => Some(Ignored),
        _ => None,
    }
}
