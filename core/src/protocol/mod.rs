//! The head and trailer rules of gRPC over HTTP/2, as pure functions.
//!
//! Plumbing for transports, clients and servers: users of those need nothing from here. Functions
//! that write give each field to a closure, so an engine may put it where it likes; functions that
//! read take the fields once, by value.

mod content_type;
pub(crate) mod field;
mod request;
mod response;

use http::HeaderValue;

use crate::compression::{CompressorRegistry, Encoding};

pub use self::content_type::{ContentType, Subtype};
pub use self::field::Field;
pub use self::request::{
    Reject, RequestFields, RequestReader, read_request, write_request, write_request_form,
    write_timeout,
};
pub use self::response::{
    NotGrpc, ResponseHead, read_response_head, write_response_form, write_response_head,
};
pub use crate::compression::accepts;
pub use crate::status::wire::{
    fits_trailers, read_trailers, write_status, write_trailers, write_trailers_only,
};

/// The content type of protocol buffers over gRPC, which goes without a subtype.
pub const CONTENT_TYPE: &str = "application/grpc";

/// The `user-agent` of trunkline: `grpc-rust-trunkline/0.1.0`.
pub const USER_AGENT: &str = concat!("grpc-rust-trunkline/", env!("CARGO_PKG_VERSION"));

/// Names that gRPC adds to HTTP.
pub(crate) mod names {
    use http::HeaderName;

    pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
    pub(crate) const GRPC_STATUS_DETAILS: HeaderName =
        HeaderName::from_static("grpc-status-details-bin");
    pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
    pub(crate) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
    pub(crate) const GRPC_ACCEPT_ENCODING: HeaderName =
        HeaderName::from_static("grpc-accept-encoding");
}

/// Values that never change; a clone of them allocates nothing.
pub(crate) mod values {
    use http::HeaderValue;

    pub(crate) const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static(super::CONTENT_TYPE);
    pub(crate) const APPLICATION_GRPC_JSON: HeaderValue =
        HeaderValue::from_static("application/grpc+json");
    pub(crate) const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
    pub(crate) const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
    pub(crate) const POST: HeaderValue = HeaderValue::from_static("POST");
}

/// How much of a field's value a text shows.
const QUOTED_BYTES: usize = 100;

/// A field's value in the text of an error: its start, because the peer chooses how long it is.
pub(crate) fn quoted(value: &HeaderValue) -> String {
    match value.as_bytes().split_at_checked(QUOTED_BYTES) {
        Some((start, [_, ..])) => {
            let start = HeaderValue::from_bytes(start).ok();
            start.map_or_else(String::new, |start| format!("{start:?}..."))
        }
        _ => format!("{value:?}"),
    }
}

/// The encoding that a `grpc-encoding` names.
fn find_encoding<'k>(known: &'k CompressorRegistry, name: &HeaderValue) -> Option<&'k Encoding> {
    name.to_str().ok().and_then(|name| known.find(name.trim()))
}
