//! Heads of responses, and answers that are not gRPC.

use http::{HeaderName, HeaderValue};

use super::{NotGrpc, ResponseHead, read_response_head, write_response_head};
use crate::code::Code;
use crate::compression::CompressorRegistry;
use crate::metadata::Metadata;
use crate::status::{Origin, Status};

const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn read(status: u16, end_stream: bool, list: &[(&'static str, &str)]) -> ResponseHead {
    let one = |(name, value): &(&'static str, &str)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (HeaderName::from_static(name), value)
    };
    read_response_head(
        status,
        end_stream,
        list.iter().map(one),
        &CompressorRegistry::default(),
    )
}

fn not_grpc(head: ResponseHead) -> NotGrpc {
    match head {
        ResponseHead::NotGrpc(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn ended(head: ResponseHead) -> Result<Metadata, Status> {
    match head {
        ResponseHead::Ended(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_with_metadata() {
    let mut metadata = Metadata::new();
    metadata.insert("k", "v").unwrap();
    let mut fields = Vec::new();
    write_response_head(
        &mut |name, value| fields.push((name, value)),
        "proto",
        None,
        &metadata,
    );
    assert_eq!(fields[0].1, "application/grpc");
    match read_response_head(200, false, fields, &CompressorRegistry::empty()) {
        ResponseHead::Stream(got, None) => assert_eq!(got, metadata),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_status_before_the_end_is_ignored() {
    for status in ["0", "5", "x"] {
        let head = read(
            200,
            false,
            &[GRPC, ("grpc-status", status), ("grpc-message", "m")],
        );
        match head {
            ResponseHead::Stream(metadata, _) => assert!(metadata.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn trailers_only() {
    let status = ended(read(200, true, &[GRPC, ("grpc-status", "5"), ("k", "v")])).unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.metadata().get("k"), Some("v"));
    assert!(ended(read(200, true, &[GRPC, ("grpc-status", "0")])).is_ok());
    let status = ended(read(200, true, &[GRPC])).unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
}

#[test]
fn a_status_counts_under_another_http_status_if_the_stream_ends() {
    let list = [GRPC, ("grpc-status", "5")];
    let status = ended(read(503, true, &list)).unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    for (end_stream, list) in [
        (false, &list[..]),
        (true, &[GRPC, ("grpc-status", "0")]),
        (true, &[GRPC, ("grpc-status", "x")]),
        (true, &[GRPC]),
    ] {
        let status = not_grpc(read(503, end_stream, list)).into_status();
        assert_eq!(status.code(), Code::Unavailable);
    }
}

#[test]
fn unknown_encoding() {
    let head = read(200, false, &[GRPC, ("grpc-encoding", "br")]);
    let status = ended(head).unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("\"br\""));
    let head = read(200, false, &[GRPC, ("grpc-encoding", "identity")]);
    assert!(matches!(head, ResponseHead::Stream(_, None)));
    // What ends with its head has no message that could be compressed.
    let list = [GRPC, ("grpc-encoding", "br"), ("grpc-status", "5")];
    assert_eq!(
        ended(read(200, true, &list)).unwrap_err().code(),
        Code::NotFound
    );
}

#[cfg(feature = "gzip")]
#[test]
fn a_known_encoding_is_written_and_found_again() {
    let known = CompressorRegistry::default();
    let mut fields = Vec::new();
    write_response_head(
        &mut |name, value| fields.push((name, value)),
        "proto",
        known.find("gzip"),
        &Metadata::new(),
    );
    match read_response_head(200, false, fields, &known) {
        ResponseHead::Stream(_, Some(encoding)) => assert_eq!(encoding.name(), "gzip"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxys_page_reads_well() {
    let list = [("content-type", "text/html"), ("retry-after", "5")];
    let mut answer = not_grpc(read(502, false, &list));
    assert!(!answer.push_body(b"<html>\n\"Bad\""));
    let status = answer.into_status();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.origin(), Origin::Transport);
    assert_eq!(
        status.message(),
        r#"HTTP 502 Bad Gateway with content-type "text/html", not gRPC; body starts "<html>\n\"Bad\"""#
    );
    assert_eq!(status.metadata().get("retry-after"), Some("5"));
}

#[test]
fn other_answers() {
    for (http, list, code, text) in [
        (
            200,
            &[][..],
            Code::Unknown,
            "HTTP 200 OK without content-type, not gRPC",
        ),
        (
            404,
            &[],
            Code::Unimplemented,
            "HTTP 404 Not Found without content-type, not gRPC",
        ),
        (
            415,
            &[("content-type", "text/plain")],
            Code::Unknown,
            "HTTP 415 Unsupported Media Type with content-type \"text/plain\", not gRPC",
        ),
        (
            999,
            &[],
            Code::Unknown,
            "HTTP 999 without content-type, not gRPC",
        ),
    ] {
        for end_stream in [false, true] {
            let status = not_grpc(read(http, end_stream, list)).into_status();
            assert_eq!((status.code(), status.message()), (code, text));
        }
    }
}

#[test]
fn only_the_start_of_a_body_is_kept() {
    let mut answer = not_grpc(read(500, false, &[]));
    assert!(!answer.push_body(&[b'a'; 99]));
    assert!(answer.push_body(&[0xff; 1 << 20]));
    assert!(answer.push_body(b"more"));
    let text = answer.into_status().message().to_owned();
    assert!(text.ends_with("aaa\u{fffd}\""), "{text}");
    assert!(text.len() < 250);
}

/// A peer chooses how long its fields are, not how long our errors get.
#[test]
fn errors_quote_only_the_start_of_a_long_value() {
    let long = "\u{e9}".repeat(5_000);
    let answers = [
        not_grpc(read(503, false, &[("content-type", &long)])).into_status(),
        ended(read(200, true, &[GRPC, ("grpc-status", &long)])).unwrap_err(),
        ended(read(
            200,
            true,
            &[GRPC, ("grpc-status", "0"), ("grpc-status", &long)],
        ))
        .unwrap_err(),
        ended(read(200, false, &[GRPC, ("grpc-encoding", &long)])).unwrap_err(),
    ];
    for status in answers {
        assert!(status.message().contains("\\xc3\\xa9\"..."), "{status}");
        assert!(status.message().len() < 600, "{status}");
    }
    let whole = "x".repeat(100);
    let status = not_grpc(read(503, false, &[("content-type", &whole)])).into_status();
    let text = format!("content-type \"{whole}\", not gRPC");
    assert!(status.message().contains(&text), "{status}");
}
