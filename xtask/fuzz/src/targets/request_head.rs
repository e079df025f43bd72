//! The head of a request: any fields at all, and those that we write.
//!
//! Input: a byte for the method, then fields.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use trunkline_core::protocol::{
    ContentType, Reject, RequestFields, read_request, read_trailers, write_request,
};
use trunkline_core::{Code, CompressorRegistry, Metadata, Timeout};

use super::fields::{all, assert_metadata, fields, last};
use crate::Source;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let known = CompressorRegistry::default();
    if source.flag() {
        written(&mut source, &known);
    }
    let method = source.pick(&["POST", "POST", "POST", "GET", "post", ""]);
    let fields = fields(&mut source);
    let read = read_request(method, fields.clone(), &known);
    match read {
        Ok(request) => good(method, &fields, &request),
        Err(reject) => bad(method, &fields, &reject),
    }
}

fn is_grpc(fields: &[(HeaderName, HeaderValue)]) -> bool {
    last(fields, "content-type").is_some_and(|value| {
        matches!(
            ContentType::parse(value.as_bytes()),
            ContentType::Grpc { .. }
        )
    })
}

fn known_encoding(value: &HeaderValue) -> bool {
    let name = value.to_str().unwrap_or("?").trim();
    ["identity", "gzip", "deflate", "zstd"].contains(&name)
}

fn good(method: &str, fields: &[(HeaderName, HeaderValue)], request: &RequestFields) {
    assert_eq!(method, "POST");
    assert!(is_grpc(fields));
    let timeouts = all(fields, "grpc-timeout");
    let timeouts = timeouts.iter().map(|value| {
        let timeout = Timeout::parse(value.as_bytes());
        timeout.expect("a malformed one is rejected").duration()
    });
    assert_eq!(request.timeout, timeouts.min());
    let encodings = all(fields, "grpc-encoding");
    assert!(encodings.iter().all(|value| known_encoding(value)));
    assert_eq!(request.user_agent.as_ref(), last(fields, "user-agent"));
    let lists = all(fields, "grpc-accept-encoding");
    let list: Vec<&[u8]> = lists.iter().map(|value| value.as_bytes()).collect();
    let joined = request
        .accept_encoding
        .as_ref()
        .map(|value| value.as_bytes().to_vec());
    assert_eq!(joined.unwrap_or_default(), list.join(&b','));
    assert_metadata(&request.metadata, fields);
}

fn bad(method: &str, fields: &[(HeaderName, HeaderValue)], reject: &Reject) {
    let mut answer = Vec::new();
    reject.write(&mut |name, value| answer.push((name, value)));
    match reject {
        Reject::NotPost => {
            assert_ne!(method, "POST");
            assert_eq!(reject.http_status(), 405);
        }
        Reject::ContentType => {
            assert!(method == "POST" && !is_grpc(fields));
            assert_eq!(reject.http_status(), 415);
        }
        Reject::Status(status) => {
            assert!(method == "POST" && is_grpc(fields));
            let bad_timeout = |value: &&HeaderValue| Timeout::parse(value.as_bytes()).is_err();
            let bad_timeout = all(fields, "grpc-timeout").iter().any(bad_timeout);
            let encodings = all(fields, "grpc-encoding");
            let bad_encoding = encodings.iter().any(|value| !known_encoding(value));
            match status.code() {
                Code::Internal => assert!(bad_timeout, "{status}"),
                Code::Unimplemented => assert!(bad_encoding, "{status}"),
                other => panic!("{other:?} for a head: {status}"),
            }
            let read = read_trailers(answer).expect_err("it is no OK");
            assert_eq!(read.code(), status.code());
        }
    }
}

/// What we write is what we read.
fn written(source: &mut Source<'_>, known: &CompressorRegistry) {
    let mut metadata = Metadata::new();
    for _ in 0..source.below(5) {
        let _refused = metadata.append(&source.text(), &source.text());
        let _refused = metadata.append_bin(&source.text(), source.short());
    }
    let timeout = source
        .flag()
        .then(|| Duration::from_micros(source.u64() >> 20));
    let encoding = known.find(source.pick(&["gzip", "none"]));
    let accept = source.flag().then(|| known.accept_encoding()).flatten();
    let agent = HeaderValue::from_static("fuzz");
    let subtype = source.pick(&["", "proto", "json", "other", "bad\n"]);
    let mut fields = Vec::new();
    let mut out = |name, value| fields.push((name, value));
    write_request(
        &mut out, subtype, timeout, encoding, accept, &agent, &metadata,
    );
    let read = read_request("POST", fields, known).expect("our own requests are good");
    assert!(read.metadata == metadata);
    let sent = timeout.map(|span| Timeout::new(span).to_value());
    let sent = sent.map(|value| Timeout::parse(value.as_bytes()).expect("legal").duration());
    assert_eq!(read.timeout, sent);
    assert_eq!(read.encoding.map(|e| e.name()), encoding.map(|e| e.name()));
    assert_eq!(read.accept_encoding.as_ref(), accept);
    let read = read.subtype.map(|name| name.as_str().to_owned());
    let sent = (subtype == "json" || subtype == "other").then(|| subtype.to_owned());
    assert_eq!(read, sent);
}
