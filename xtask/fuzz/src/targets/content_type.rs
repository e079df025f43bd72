//! Content types, and the lists in `grpc-accept-encoding`.
//!
//! Input: the bytes of one field's value.

use http::HeaderValue;
use trunkline_core::protocol::{ContentType, accepts};

pub(super) fn run(input: &[u8]) {
    let read = match ContentType::parse(input) {
        ContentType::Grpc { subtype } => Some(subtype.map(|name| name.as_str().to_owned())),
        ContentType::Other => None,
    };
    assert_eq!(read, model(input));
    let Ok(list) = HeaderValue::from_bytes(input) else {
        return;
    };
    for encoding in ["gzip", "deflate", "zstd", "x"] {
        assert_eq!(
            accepts(&list, encoding),
            accepted(input, encoding),
            "{encoding}"
        );
    }
    assert!(accepts(&list, "identity"), "always");
}

/// `Some` for gRPC, then the subtype.
fn model(value: &[u8]) -> Option<Option<String>> {
    let end = value.iter().position(|byte| *byte == b';');
    let essence = value.get(..end.unwrap_or(value.len()))?.trim_ascii();
    let essence = std::str::from_utf8(essence).ok()?.to_ascii_lowercase();
    let rest = essence.strip_prefix("application/grpc")?;
    if rest.is_empty() {
        return Some(None);
    }
    let subtype = rest.strip_prefix('+')?;
    let good = !subtype.is_empty() && subtype.chars().all(|c| ('!'..='~').contains(&c));
    good.then(|| Some(subtype.to_owned()))
}

fn accepted(list: &[u8], encoding: &str) -> bool {
    String::from_utf8_lossy(list).split(',').any(|item| {
        let mut parts = item.split(';').map(|part| part.trim_matches([' ', '\t']));
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|parameter| {
            let parameter = parameter.to_ascii_lowercase();
            let weight = parameter.strip_prefix("q=").unwrap_or("1");
            weight.starts_with('0') && weight.trim_matches(['0', '.']).is_empty()
        });
        name.eq_ignore_ascii_case(encoding) && !refused
    })
}
