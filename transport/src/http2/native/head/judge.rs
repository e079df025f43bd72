//! What a field is, and which rule it breaks.

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};

use super::known::Known;
use super::{names, rules};

/// Which rule is broken.
pub(super) type Fault = &'static str;

pub(super) const POST: Bytes = Bytes::from_static(b"POST");

pub(super) const MALFORMED_METHOD: Fault = ":method is malformed";
pub(super) const MALFORMED_SCHEME: Fault = ":scheme is malformed";
pub(super) const MALFORMED_PATH: Fault = ":path is malformed";
pub(super) const MALFORMED_AUTHORITY: Fault = ":authority is malformed";
pub(super) const MALFORMED_STATUS: Fault = ":status is malformed";
pub(super) const MALFORMED_NAME: Fault = "malformed field name";
pub(super) const UNKNOWN_PSEUDO: Fault = "pseudo-header field that nobody knows";
pub(super) const OTHER_TE: Fault = "te other than trailers";

/// What the field is, if that depends on nothing else, and it is no fault by itself.
pub(super) fn judged(name: &[u8], value: &[u8]) -> Option<Known> {
    Some(match name {
        b":method" if rules::is_token(value) => Known::Method(match value {
            b"POST" => POST,
            other => Bytes::copy_from_slice(other),
        }),
        b":scheme" if rules::is_scheme(value) => {
            Known::Scheme(value.eq_ignore_ascii_case(b"https"))
        }
        b":path" if rules::is_path(value) => Known::Path(Bytes::copy_from_slice(value)),
        b":authority" => {
            let value = Bytes::copy_from_slice(value);
            Known::Authority(authority(value, MALFORMED_AUTHORITY).ok()?)
        }
        b":status" => Known::Status(rules::status(value)?),
        b"te" if value != b"trailers" => return None,
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade"
        | b"host" | b"content-length" => return None,
        name => {
            let name = match names::known(name) {
                Some(name) => name,
                None => HeaderName::from_lowercase(name).ok()?,
            };
            let value = match names::known_value(value) {
                Some(value) => value,
                None => checked(Bytes::copy_from_slice(value)).ok()?,
            };
            Known::Field(name, value)
        }
    })
}

pub(super) fn check(holds: bool, why: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(why) }
}

#[inline]
pub(super) fn once<T>(place: &mut Option<T>, value: T, why: Fault) -> Result<(), Fault> {
    check(place.is_none(), why)?;
    *place = Some(value);
    Ok(())
}

pub(super) fn checked(value: Bytes) -> Result<HeaderValue, Fault> {
    HeaderValue::from_maybe_shared(value).map_err(|_| "control character in a field value")
}

/// What `host` says, where there is no `:authority`.
pub(super) fn host_alone(host: Bytes) -> Result<Option<Authority>, Fault> {
    if host.is_empty() {
        // Allowed where the target has none (RFC 9110 §7.2).
        return Ok(None);
    }
    authority(host, "host is malformed").map(Some)
}

pub(super) fn authority(text: Bytes, why: Fault) -> Result<Authority, Fault> {
    let authority = Authority::from_maybe_shared(text).map_err(|_| why)?;
    // RFC 9113 §8.3.1: no user information.
    check(!authority.as_str().as_bytes().contains(&b'@'), why)?;
    Ok(authority)
}
