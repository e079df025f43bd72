//! Status texts: onto the wire and back, and whatever a peer may have put there.
//!
//! Input: a byte for the code, a byte for what else the status carries, then the text.

use http::{HeaderName, HeaderValue};
use trunkline_core::protocol::{fits_trailers, read_trailers, write_trailers};
use trunkline_core::{Code, Metadata, Status};

use crate::Source;

/// What every peer takes (RFC 9113 §6.5.2 counts 32 bytes for each field besides its text), without
/// `:status: 200` and `content-type: application/grpc`, where the trailers are all there is.
const BLOCK_BYTES: usize = 8_192 - 42 - 60;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let code = Code::from_number(u32::from(source.byte() % 16) + 1);
    let load = source.byte();
    let text = source.remainder();
    received(code, text);
    sent(code, load, &String::from_utf8_lossy(text));
}

fn received(code: Code, encoded: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(encoded) else {
        return;
    };
    let number = HeaderValue::from(code.number());
    let fields = [
        (HeaderName::from_static("grpc-status"), number),
        (HeaderName::from_static("grpc-message"), value),
    ];
    let status = read_trailers(fields).expect_err("the code is not OK");
    assert_eq!(status.code(), code);
    assert_eq!(status.message(), decoded(encoded));
}

/// Percent-decoding by the rule: what is no escape stands for itself, what is no UTF-8 for U+FFFD.
fn decoded(encoded: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(byte) = encoded.get(at) {
        let hex = encoded.get(at + 1..at + 3);
        let hex = hex.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let escaped = hex
            .filter(|_| *byte == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn sent(code: Code, load: u8, text: &str) {
    let mut metadata = Metadata::new();
    let value = "x".repeat(usize::from(load % 16) * 100);
    if load & 0x10 != 0 {
        metadata.insert("x-load", &value).expect("a legal value");
    }
    let mut status = Status::new(code, text.to_owned()).with_metadata(metadata.clone());
    if load & 0x20 != 0 {
        status = status.with_details(vec![7; usize::from(load % 16) * 400]);
    }
    let mut fields = Vec::new();
    write_trailers(&mut |name, value| fields.push((name, value)), Err(&status));
    let block: usize = fields
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len() + 32)
        .sum();
    assert!(block <= BLOCK_BYTES, "{block} bytes of trailers");
    for (name, value) in &fields {
        if name == "grpc-message" {
            let bytes = value.as_bytes();
            assert!(bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
            assert!(bytes.first() != Some(&b' ') && bytes.last() != Some(&b' '));
        }
    }
    let whole = fits_trailers(&status);
    let read = read_trailers(fields).expect_err("the code is not OK");
    assert_eq!(read.code(), code);
    assert!(*read.metadata() == metadata, "metadata is never touched");
    if whole {
        assert_eq!(read.message(), text);
        assert_eq!(read.details(), status.details());
        return;
    }
    let said = read.message();
    let cut = format!("... [cut, {} bytes in all]", text.len());
    let left_out = format!("[details left out, {} bytes]", status.details().len());
    assert!(said.contains(&cut) || said.ends_with(&left_out), "{said}");
    let kept = said.split(" [details left out, ").next().unwrap_or(said);
    let kept = kept.strip_suffix(cut.as_str()).unwrap_or(kept);
    assert!(
        text.starts_with(kept) || kept.is_empty() || said == left_out,
        "{said}"
    );
}
