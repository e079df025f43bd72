//! The head of a response and trailers: any fields at all.
//!
//! Input: two bytes for the HTTP status, one for whether the head is all, the fields, then a body.

use http::{HeaderName, HeaderValue};
use trunkline_core::protocol::{
    ContentType, ResponseHead, read_response_head, read_trailers, write_response_head,
};
use trunkline_core::{Code, CompressorRegistry, Metadata, Origin, Status};

use super::fields::{all, assert_metadata, fields, last};
use crate::Source;

type Fields = [(HeaderName, HeaderValue)];

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let http_status = match source.u16() {
        even if even % 2 == 0 => 200,
        other => other,
    };
    let end_stream = source.flag();
    let fields = fields(&mut source);
    let known = CompressorRegistry::default();
    outcome(&fields, read_trailers(fields.clone()));
    match read_response_head(http_status, end_stream, fields.clone(), &known) {
        ResponseHead::Stream(metadata, encoding) => {
            assert!(http_status == 200 && !end_stream && is_grpc(&fields));
            assert_metadata(&metadata, &fields);
            let name = last(&fields, "grpc-encoding").and_then(|value| value.to_str().ok());
            let name = name.map(str::trim).filter(|name| *name != "identity");
            assert_eq!(encoding.map(|encoding| encoding.name()), name);
        }
        ResponseHead::Ended(result) if end_stream => {
            let error = result
                .as_ref()
                .is_err_and(|status| status.origin() == Origin::Peer);
            assert!(error || http_status == 200 && is_grpc(&fields));
            outcome(&fields, result);
        }
        ResponseHead::Ended(result) => {
            assert!(http_status == 200 && is_grpc(&fields));
            let status = result.expect_err("nothing has ended well");
            assert_eq!(
                status.code(),
                Code::Internal,
                "an encoding that nobody knows"
            );
            assert!(last(&fields, "grpc-encoding").is_some());
            assert_metadata(status.metadata(), &fields);
        }
        ResponseHead::NotGrpc(mut answer) => {
            assert!(http_status != 200 || !is_grpc(&fields));
            let body = source.remainder();
            let enough = body.chunks(33).any(|piece| answer.push_body(piece));
            assert_eq!(enough, body.len() >= 100);
            let status = answer.into_status();
            assert_eq!(status.code(), Code::from_http_status(http_status));
            assert_ne!(status.code(), Code::Ok);
            assert!(status.message().contains(&format!("HTTP {http_status}")));
            assert!(
                status.message().len() < 4_096,
                "{} bytes",
                status.message().len()
            );
            assert_metadata(status.metadata(), &fields);
        }
    }
    written(&mut source, &known);
}

fn is_grpc(fields: &Fields) -> bool {
    last(fields, "content-type").is_some_and(|value| {
        matches!(
            ContentType::parse(value.as_bytes()),
            ContentType::Grpc { .. }
        )
    })
}

/// Whether this is what the trailers say.
fn outcome(fields: &Fields, result: Result<Metadata, Status>) {
    let values = all(fields, "grpc-status");
    let mut values = values.iter().map(|value| value.as_bytes());
    let first = values.next();
    let contradicted = values.any(|other| Some(other) != first);
    let number = first.and_then(number).filter(|_| !contradicted);
    match (number, result) {
        (Some(0), Ok(metadata)) => assert_metadata(&metadata, fields),
        (number, Err(status)) => {
            assert_ne!(number, Some(0));
            let expected = match number {
                Some(number @ 1..=16) => Code::from_number(number),
                Some(_) | None => Code::Unknown,
            };
            assert_eq!(status.code(), expected);
            let origin = number.map_or(Origin::Transport, |_| Origin::Peer);
            assert_eq!(status.origin(), origin, "{status}");
            assert_metadata(status.metadata(), fields);
        }
        (number, Ok(_)) => panic!("OK for grpc-status {number:?}"),
    }
}

fn number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What we write is what we read.
fn written(source: &mut Source<'_>, known: &CompressorRegistry) {
    let mut metadata = Metadata::new();
    let _refused = metadata.append(&source.text(), &source.text());
    let encoding = known.find(source.pick(&["gzip", "none"]));
    let mut fields = Vec::new();
    let mut out = |name, value| fields.push((name, value));
    write_response_head(&mut out, "proto", encoding, &metadata);
    match read_response_head(200, false, fields, known) {
        ResponseHead::Stream(read, with) => {
            assert!(read == metadata);
            assert_eq!(with.map(|e| e.name()), encoding.map(|e| e.name()));
        }
        other => panic!("our own head is read as {other:?}"),
    }
}
