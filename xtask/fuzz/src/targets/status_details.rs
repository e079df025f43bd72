//! `grpc-status-details-bin`: what a peer may have packed, and what comes back of what was packed.
//!
//! Input: a byte for the code, a byte for the way, then the encoded details.

use bytes::Bytes;
use prost::Message;
use trunkline_core::details::{
    AnyDetail, BadRequest, DebugInfo, DetailsError, ErrorInfo, Help, LocalizedMessage,
    PreconditionFailure, QuotaFailure, RequestInfo, ResourceInfo, RetryInfo,
};
use trunkline_core::protocol::{fits_trailers, read_trailers, write_trailers};
use trunkline_core::{Code, Status};

use crate::Source;

/// `google.rpc.Status`, as its .proto file has it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let code = Code::from_number(u32::from(source.byte() % 16) + 1);
    if source.flag() {
        packed(code, &mut source);
    } else {
        received(code, source.remainder());
    }
}

fn received(code: Code, bytes: &[u8]) {
    let status = Status::new(code, "text").with_details(Bytes::copy_from_slice(bytes));
    assert_eq!(status.details(), bytes, "as they came");
    let number = i32::try_from(code.number()).expect("a small number");
    let details = match (status.unpack_details(), RpcStatus::decode(bytes)) {
        (Ok(details), _) if bytes.is_empty() => details,
        (Ok(details), Ok(envelope)) => {
            assert_eq!(envelope.code, number);
            assert_eq!(details.len(), envelope.details.len());
            for (ours, theirs) in details.iter().zip(&envelope.details) {
                assert_eq!(
                    (ours.type_url(), &ours.value()[..]),
                    (theirs.type_url.as_str(), &theirs.value[..])
                );
            }
            details
        }
        (Err(DetailsError::OtherCode { .. }), Ok(envelope)) => {
            assert_ne!(envelope.code, number);
            Vec::new()
        }
        (Err(error), Err(_)) => {
            assert!(!error.to_string().is_empty());
            Vec::new()
        }
        (ours, theirs) => panic!("{ours:?}, but {theirs:?}"),
    };
    for detail in &details {
        look(detail);
    }
    let usable = status.unpack_details().is_ok();
    let more = status.clone().with_any_detail(AnyDetail::new("a.B", "c"));
    let unpacked = more
        .unpack_details()
        .expect("what we packed is well-formed");
    let kept = if usable { details.len() } else { 0 };
    assert_eq!(unpacked.len(), kept + 1);
    let renamed = status.context("more");
    assert_eq!(
        renamed.unpack_details().is_ok(),
        usable,
        "the text is not what counts"
    );
}

/// Reads a detail as everything that it could be.
fn look(detail: &AnyDetail) {
    let _ = detail.decode_as::<BadRequest>();
    let _ = detail.decode_as::<DebugInfo>();
    let _ = detail.decode_as::<ErrorInfo>();
    let _ = detail.decode_as::<Help>();
    let _ = detail.decode_as::<LocalizedMessage>();
    let _ = detail.decode_as::<PreconditionFailure>();
    let _ = detail.decode_as::<QuotaFailure>();
    let _ = detail.decode_as::<RequestInfo>();
    let _ = detail.decode_as::<ResourceInfo>();
    if let Ok(info) = detail.decode_as::<RetryInfo>()
        && let Some(delay) = info.delay()
    {
        assert_eq!(RetryInfo::new(delay).delay(), Some(delay));
    }
    assert!(detail.name().len() <= detail.type_url().len());
    assert_eq!(
        detail.is::<BadRequest>(),
        detail.name() == "google.rpc.BadRequest"
    );
}

fn packed(code: Code, source: &mut Source<'_>) {
    let mut status = Status::new(code, source.long_text());
    let mut expected = Vec::new();
    for _ in 0..source.below(6) {
        let detail = AnyDetail::new(&source.text(), Bytes::copy_from_slice(source.long()));
        expected.push(detail.clone());
        status = status.with_any_detail(detail);
    }
    if source.flag() {
        status = status.context(source.text());
    }
    assert_eq!(status.unpack_details().ok(), Some(expected.clone()));
    let mut fields = Vec::new();
    write_trailers(&mut |name, value| fields.push((name, value)), Err(&status));
    let read = read_trailers(fields).expect_err("the code is not OK");
    assert_eq!(read.code(), code);
    if fits_trailers(&status) {
        assert_eq!(read.message(), status.message());
        assert_eq!(read.unpack_details().ok(), Some(expected));
    } else if !read.details().is_empty() {
        assert_eq!(
            read.unpack_details().ok(),
            Some(expected),
            "whole or not at all"
        );
    }
}
