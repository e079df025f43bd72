//! Which keys may be used, and which of them carry bytes.

use http::HeaderName;

use super::MetadataError;

/// Keys of this ending carry bytes.
const BINARY_SUFFIX: &str = "-bin";

/// Whether values under this key are bytes (base64 on the wire).
pub(super) fn is_binary(key: &str) -> bool {
    key.ends_with(BINARY_SUFFIX)
}

/// Checks a key that a user wants to send.
pub(super) fn parse(key: &str) -> Result<HeaderName, MetadataError> {
    if is_reserved(key) {
        return Err(MetadataError::ReservedKey {
            key: key.to_owned(),
        });
    }
    let invalid = || MetadataError::InvalidKey {
        key: key.to_owned(),
    };
    let legal = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'.' | b'-');
    if key.is_empty() || !key.bytes().all(legal) {
        return Err(invalid());
    }
    HeaderName::from_bytes(key.as_bytes()).map_err(|_| invalid())
}

/// Names that the protocol, not the user, writes.
fn is_reserved(key: &str) -> bool {
    key.starts_with("grpc-")
        || key.starts_with(':')
        || matches!(
            key,
            "connection"
                | "content-length"
                | "content-type"
                | "host"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "transfer-encoding"
                | "upgrade"
                | "user-agent"
        )
}
