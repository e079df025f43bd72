//! Values: printable text under most keys, bytes as base64 under `-bin` keys.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::HeaderValue;

use super::{MetadataError, key};

/// One value as [`Metadata::iter`](crate::Metadata::iter) shows it; the key's ending decides which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataValue<'a> {
    /// Text, under a key without `-bin`.
    Ascii(&'a str),
    /// Bytes, under a key that ends in `-bin`.
    Binary(Bytes),
}

/// Written without padding, read with or without; stray trailing bits are let pass, as peers differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Checks text that a user wants to send.
pub(super) fn parse_ascii(key: &str, value: &str) -> Result<HeaderValue, MetadataError> {
    let invalid = || MetadataError::InvalidValue {
        key: key.to_owned(),
    };
    let printable = value.bytes().all(|b| matches!(b, 0x20..=0x7e));
    if !printable || value.starts_with(' ') || value.ends_with(' ') {
        return Err(invalid());
    }
    HeaderValue::from_str(value).map_err(|_| invalid())
}

/// Bytes as they go on the wire.
pub(crate) fn encode_binary(value: &[u8]) -> HeaderValue {
    // Base64 text is always a legal value, so the fallback is never taken.
    HeaderValue::try_from(BASE64.encode(value)).unwrap_or(HeaderValue::from_static(""))
}

/// Bytes of one base64 text; `None` if it is none.
pub(crate) fn decode_binary(text: &[u8]) -> Option<Bytes> {
    BASE64.decode(text.trim_ascii()).ok().map(Bytes::from)
}

/// The length of `bytes` bytes as unpadded base64.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// All byte values in one wire value, which intermediaries may have joined with commas.
/// What cannot be decoded is skipped.
pub(super) fn binaries(value: &HeaderValue) -> impl Iterator<Item = Bytes> {
    let parts = value.as_bytes().split(|b| *b == b',');
    parts.filter_map(decode_binary)
}

/// Text of a wire value; `None` if it has bytes that no text value may have.
pub(super) fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// All values that one wire entry stands for.
pub(super) fn values<'a>(
    name: &str,
    value: &'a HeaderValue,
) -> impl Iterator<Item = MetadataValue<'a>> + use<'a> {
    let binary = key::is_binary(name);
    let ascii = if binary { None } else { text(value) };
    let bytes = binary.then(|| binaries(value));
    let bytes = bytes.into_iter().flatten().map(MetadataValue::Binary);
    ascii.map(MetadataValue::Ascii).into_iter().chain(bytes)
}
