//! Header fields out of an input: names that mean something, names that do not, values of any kind.

use http::{HeaderName, HeaderValue};

use crate::Source;

/// Names that some rule looks at, or nearly.
const NAMES: &[&str] = &[
    "content-type",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
    "user-agent",
    "te",
    "host",
    "connection",
    "content-length",
    "grpc-unknown",
    "x-text",
    "x-bytes-bin",
    "-bin",
    "authorization",
];

/// Values that some rule looks at, or nearly.
const VALUES: &[&str] = &[
    "",
    "application/grpc",
    "application/grpc+proto",
    "application/grpc+json;charset=utf-8",
    "application/grpc-web",
    "text/html",
    "0",
    "1",
    "16",
    "17",
    "00",
    "+1",
    "4294967296",
    "gzip",
    "identity",
    "deflate",
    "snappy",
    "gzip,deflate , identity;q=0",
    "10S",
    "99999999H",
    "999999999n",
    "1u",
    "trailers",
    "AAEC",
    "AAEC=",
    "AAE=,Ag",
    "CAUSBHRleHQ",
    "a%20b%zz%",
];

/// Up to eight fields.
pub(super) fn fields(source: &mut Source<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let count = source.below(9);
    (0..count).map(|_| (name(source), value(source))).collect()
}

fn name(source: &mut Source<'_>) -> HeaderName {
    if !source.byte().is_multiple_of(8) {
        return HeaderName::from_static(source.pick(NAMES));
    }
    HeaderName::from_bytes(source.short()).unwrap_or(HeaderName::from_static("x-text"))
}

/// Any value that a field can carry.
pub(super) fn value(source: &mut Source<'_>) -> HeaderValue {
    if !source.byte().is_multiple_of(4) {
        return HeaderValue::from_static(source.pick(VALUES));
    }
    let legal = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    let bytes: Vec<u8> = source.short().iter().copied().filter(legal).collect();
    HeaderValue::from_bytes(&bytes).expect("only legal bytes were kept")
}

/// The last value under this name.
pub(super) fn last<'a>(
    fields: &'a [(HeaderName, HeaderValue)],
    wanted: &str,
) -> Option<&'a HeaderValue> {
    let mut here = fields.iter().rev();
    here.find(|(name, _)| name.as_str() == wanted)
        .map(|(_, value)| value)
}

/// All values under this name.
pub(super) fn all<'a>(
    fields: &'a [(HeaderName, HeaderValue)],
    wanted: &str,
) -> Vec<&'a HeaderValue> {
    let here = fields.iter().filter(|(name, _)| name.as_str() == wanted);
    here.map(|(_, value)| value).collect()
}

/// Whether the protocol keeps this field to itself, by a list that was written from the rules.
pub(super) fn is_protocols(name: &str) -> bool {
    const OWN: &[&str] = &[
        "connection",
        "content-length",
        "content-type",
        "grpc-accept-encoding",
        "grpc-encoding",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "grpc-timeout",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    OWN.contains(&name)
}

/// Asserts that these fields, in order, are what is not the protocol's own.
pub(super) fn assert_metadata(
    metadata: &trunkline_core::Metadata,
    fields: &[(HeaderName, HeaderValue)],
) {
    let theirs: Vec<_> = fields
        .iter()
        .filter(|(name, _)| !is_protocols(name.as_str()))
        .map(|(name, value)| (name, value))
        .collect();
    let ours: Vec<_> = metadata.wire().collect();
    assert_eq!(ours, theirs);
}
