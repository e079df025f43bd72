//! Header blocks of gRPC: written in full once, and as indexes into the peer's dynamic table from then on, as other
//! encoders do it.

use std::fmt::Write as _;

/// Literal with incremental indexing (RFC 7541 §6.2.1); `name` is an index of the static table.
fn indexed_name(name: u8, value: &str, out: &mut Vec<u8>) {
    out.push(0x40 | name);
    text(value, out);
}

fn new_name(first: u8, name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(first);
    text(name, out);
    text(value, out);
}

/// A string of less than 127 octets, without Huffman.
fn text(value: &str, out: &mut Vec<u8>) {
    debug_assert!(value.len() < 127);
    out.push(value.len() as u8);
    out.extend_from_slice(value.as_bytes());
}

const WITH_INDEXING: u8 = 0x40;
const WITHOUT_INDEXING: u8 = 0x00;
/// `:method POST` and `:scheme http` of the static table.
const POST: u8 = 0x83;
const HTTP: u8 = 0x86;
const STATUS_200: u8 = 0x88;
const STATIC_AUTHORITY: u8 = 1;
const STATIC_PATH: u8 = 4;
const STATIC_CONTENT_TYPE: u8 = 31;
const STATIC_USER_AGENT: u8 = 58;
/// The entry that came last is the first behind the 61 static ones.
const NEWEST: u8 = 0x80 | 62;

/// What a client sends at the start of each call.
pub(crate) struct Requests {
    path: String,
    authority: String,
    has_deadline: bool,
    sent: u32,
}

impl Requests {
    pub(crate) fn new(path: &str, authority: &str) -> Self {
        Self {
            path: path.to_owned(),
            authority: authority.to_owned(),
            has_deadline: true,
            sent: 0,
        }
    }

    /// For calls that stay open.
    pub(crate) fn without_deadline(path: &str, authority: &str) -> Self {
        Self {
            has_deadline: false,
            ..Self::new(path, authority)
        }
    }

    /// The next block of this connection. Each has a deadline of its own, of a minute or more, as those of real callers:
    /// no two blocks are equal.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[POST, HTTP]);
        if self.sent == 0 {
            indexed_name(STATIC_PATH, &self.path, out);
            indexed_name(STATIC_AUTHORITY, &self.authority, out);
            new_name(WITH_INDEXING, "te", "trailers", out);
            indexed_name(STATIC_CONTENT_TYPE, "application/grpc", out);
            indexed_name(STATIC_USER_AGENT, "trunkline-bench", out);
        } else {
            // Oldest first, as they were added.
            out.extend((0..5).rev().map(|age| NEWEST + age));
        }
        if self.has_deadline {
            let mut micros = String::with_capacity(8);
            let _ = write!(micros, "{}u", 60_000_000 + self.sent % 30_000_000);
            new_name(WITHOUT_INDEXING, "grpc-timeout", &micros, out);
        }
        self.sent += 1;
    }
}

/// What a server sends before and after its messages.
#[derive(Default)]
pub(crate) struct Responses {
    heads: bool,
    trailers: bool,
}

impl Responses {
    pub(crate) fn head(&mut self, out: &mut Vec<u8>) {
        out.push(STATUS_200);
        if self.heads {
            out.push(if self.trailers { NEWEST + 1 } else { NEWEST });
        } else {
            self.heads = true;
            indexed_name(STATIC_CONTENT_TYPE, "application/grpc", out);
        }
    }

    /// Trailers of a call that succeeded; its head has been sent.
    pub(crate) fn trailers(&mut self, out: &mut Vec<u8>) {
        if self.trailers {
            out.push(NEWEST);
        } else {
            self.trailers = true;
            new_name(WITH_INDEXING, "grpc-status", "0", out);
        }
    }
}
