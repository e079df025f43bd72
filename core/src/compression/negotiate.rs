//! The list in `grpc-accept-encoding`.

use http::HeaderValue;

use super::IDENTITY;

/// Whether a `grpc-accept-encoding` allows this encoding. `identity` always is.
///
/// Shape of `list`: names behind commas, with any blanks around them; names that nobody knows and
/// empty places are passed over. gRPC gives them no weights; what stands behind a `;` is ignored,
/// unless it is a weight of 0. Source: gRPC "Compression", "gRPC over HTTP/2".
#[must_use]
pub fn accepts(list: &HeaderValue, encoding: &str) -> bool {
    encoding == IDENTITY
        || list.as_bytes().split(|byte| *byte == b',').any(|item| {
            let mut parts = item.split(|byte| *byte == b';');
            let name = parts.next().unwrap_or_default().trim_ascii();
            name.eq_ignore_ascii_case(encoding.as_bytes()) && !parts.any(is_zero_weight)
        })
}

/// `q=0`, `q=0.0` and so on: HTTP's way to say "not this one".
fn is_zero_weight(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii();
    let weight = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="));
    weight.is_some_and(|weight| {
        weight.first() == Some(&b'0') && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::accepts;

    #[test]
    fn lists_as_peers_write_them() {
        for (list, encoding, expected) in [
            ("gzip", "gzip", true),
            ("identity, deflate, gzip", "gzip", true),
            ("identity,deflate , gzip ", "deflate", true),
            ("\tGZIP\t", "gzip", true),
            ("gzip;q=1.0,identity; q=0.5", "gzip", true),
            ("gzip;q=0", "gzip", false),
            ("gzip; q=0.000, zstd", "gzip", false),
            ("gzip; q=0.000, zstd", "zstd", true),
            ("gzip;q=0.1", "gzip", true),
            ("br,,x-unknown,,gzip", "gzip", true),
            ("br, snappy", "gzip", false),
            ("xgzip, gzipx", "gzip", false),
            ("*", "gzip", false),
            ("", "gzip", false),
            (" , ,", "gzip", false),
            ("", "identity", true),
            ("gzip", "identity", true),
        ] {
            let value = HeaderValue::from_static(list);
            assert_eq!(accepts(&value, encoding), expected, "{list:?} {encoding}");
        }
        let bytes = HeaderValue::from_bytes(b"\xff\xfe, gzip").expect("a value");
        assert!(accepts(&bytes, "gzip"));
    }
}
