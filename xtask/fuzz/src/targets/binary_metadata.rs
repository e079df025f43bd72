//! `-bin` values: as a peer may send them, and as they go out.
//!
//! Input: the bytes of one field's value, which are also bytes to send.

use http::{HeaderName, HeaderValue};
use trunkline_core::Metadata;

pub(super) fn run(input: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let mut metadata = Metadata::new();
        metadata.push_wire(HeaderName::from_static("x-bin"), value);
        let read: Vec<Vec<u8>> = metadata.get_all_bin("x-bin").map(|b| b.to_vec()).collect();
        let parts = input.split(|byte| *byte == b',');
        let expected: Vec<Vec<u8>> = parts.filter_map(decoded).collect();
        assert_eq!(read, expected);
        assert_eq!(metadata.get("x-bin"), None, "bytes are no text");
    }
    let mut metadata = Metadata::new();
    metadata
        .insert_bin("x-bin", input)
        .expect("bytes are bytes");
    assert_eq!(metadata.get_bin("x-bin").as_deref(), Some(input));
    let (_, wire) = metadata.wire().next().expect("there is one");
    let text = wire.to_str().expect("base64 is text");
    assert!(!text.contains('='), "without padding");
    assert_eq!(text.len(), (input.len() * 4).div_ceil(3));
}

/// One base64 text (RFC 4648 §4), padded or not; stray bits at its end are nobody's business.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let body = text.len() - text.iter().rev().take_while(|byte| **byte == b'=').count();
    let (body, padding) = text.split_at(body);
    let allowed = match body.len() % 4 {
        0 => 0,
        2 => 2,
        3 => 1,
        _ => return None,
    };
    if padding.len() > allowed {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in body {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("eight bits"));
        }
    }
    Some(bytes)
}
