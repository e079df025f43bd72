//! What is written is what core says, and what is read again.

use std::time::Duration;

use bytes::BytesMut;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use trunkline_core::protocol::{
    USER_AGENT, write_request, write_response_head, write_trailers, write_trailers_only,
};
use trunkline_core::{Code, Compressor, CompressorRegistry, DecompressError, Encoding, Payload};

use super::super::super::hpack::{Decoder, Encoder};
use super::super::{FieldList, Head, HeadBuilder, Kind, Outcome};
use super::*;

type List = Vec<(HeaderName, HeaderValue)>;

/// Only its name is of interest.
struct Nothing;

impl Compressor for Nothing {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn compress(&self, _: &[u8], _: &mut BytesMut) -> std::io::Result<()> {
        Ok(())
    }

    fn decompress(&self, _: Payload, _: &mut BytesMut, _: usize) -> Result<(), DecompressError> {
        Ok(())
    }
}

fn gzip() -> Encoding {
    let registry = CompressorRegistry::empty().with(Nothing).unwrap();
    registry.find("gzip").unwrap().clone()
}

fn metadata(list: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in list {
        metadata.append(key, value).unwrap();
    }
    metadata
}

fn said(write: impl FnOnce(&mut dyn FnMut(HeaderName, HeaderValue))) -> List {
    let mut list = List::new();
    write(&mut |name, value| list.push((name, value)));
    list
}

fn read(kind: Kind, block: &[u8]) -> Outcome {
    let mut builder = HeadBuilder::new(16 * 1024);
    builder.begin(kind);
    Decoder::new(4096).decode(block, &mut builder).unwrap();
    builder.finish()
}

fn list(fields: FieldList) -> List {
    fields.into_iter().collect()
}

fn response_fields((head, extra): &(ResponseHead, Fields)) -> (u16, List) {
    let mut block = BytesMut::new();
    Encoder::new().response(head, extra, &mut block);
    match read(Kind::Response, &block) {
        Outcome::Head(Head::Response(response)) => (response.status, list(response.fields)),
        other => panic!("{other:?}"),
    }
}

fn trailer_fields(extra: &Fields) -> List {
    let mut block = BytesMut::new();
    Encoder::new().trailers(extra, &mut block);
    match read(Kind::Trailers, &block) {
        Outcome::Trailers(fields) => list(fields),
        other => panic!("{other:?}"),
    }
}

fn head<'a>(
    authority: &'a Authority,
    agent: &'a HeaderValue,
    own: &'a Metadata,
) -> RequestHead<'a> {
    RequestHead {
        path: "/tests.Echo/Unary",
        authority,
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        timeout: None,
        user_agent: agent,
        metadata: own,
    }
}

#[test]
fn a_request_says_what_core_writes() {
    let authority = Authority::from_static("localhost:1");
    let agent = HeaderValue::from_static(USER_AGENT);
    let gzip = gzip();
    let accept = HeaderValue::from_static("gzip,deflate");
    let none = Metadata::new();
    let own = metadata(&[
        ("tenant", "a"),
        ("authorization", "Bearer x"),
        ("tenant", "b"),
    ]);
    for (encoding, accept, timeout, metadata, subtype) in [
        (None, None, None, &none, "proto"),
        (Some(&gzip), Some(&accept), None, &own, "json"),
        (
            None,
            Some(&accept),
            Some(Duration::from_millis(15)),
            &own,
            "other",
        ),
    ] {
        let head = RequestHead {
            encoding,
            accept_encoding: accept,
            timeout,
            subtype,
            ..head(&authority, &agent, metadata)
        };
        let form = request_form(&head, true).unwrap();
        let extra = request_extra(&head);
        let mut block = BytesMut::new();
        Encoder::new().request(&form, &extra, &mut block);
        let Outcome::Head(Head::Request(got)) = read(Kind::Request, &block) else {
            panic!("no request");
        };
        assert_eq!(got.method(), "POST");
        assert_eq!(got.path(), head.path);
        assert_eq!(got.authority(), Some(&authority));
        let core = said(|mut out| {
            write_request(
                &mut out, subtype, timeout, encoding, accept, &agent, metadata,
            );
        });
        assert_eq!(list(got.fields), core);
    }
}

#[test]
fn a_path_that_no_target_can_be_is_not_sent() {
    let authority = Authority::from_static("localhost:1");
    let agent = HeaderValue::from_static(USER_AGENT);
    let none = Metadata::new();
    for path in ["", "/a b/C", "/a.B/C\n", "/\u{e4}/C"] {
        let head = RequestHead {
            path,
            ..head(&authority, &agent, &none)
        };
        let status = request_form(&head, false).unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains(&format!("{path:?}")), "{status}");
    }
}

#[test]
fn a_response_says_what_core_writes() {
    let own = metadata(&[("k", "v"), ("k", "w")]);
    let gzip = gzip();
    for (subtype, encoding) in [("proto", None), ("json", Some(gzip))] {
        let form = ResponseForm { subtype, encoding };
        let encoding = form.encoding.as_ref();
        let core = said(|mut out| write_response_head(&mut out, subtype, encoding, &own));
        assert_eq!(response_fields(&response(&form, &own)), (200, core));
    }
}

#[test]
fn trailers_say_what_core_writes() {
    let none = Metadata::new();
    let own = metadata(&[("k", "v")]);
    let first = metadata(&[("first", "x")]);
    let both = metadata(&[("first", "x"), ("k", "v")]);
    for (own, first, all) in [
        (&none, &none, &none),
        (&own, &none, &own),
        (&own, &first, &both),
    ] {
        let core = said(|mut out| write_trailers(&mut out, Ok(all)));
        assert_eq!(trailer_fields(&trailers(Ok(own), first)), core);
    }
    let status = Status::not_found("no caf\u{e9} ").with_metadata(own);
    let core = said(|mut out| write_trailers(&mut out, Err(&status)));
    assert_eq!(trailer_fields(&trailers(Err(&status), &none)), core);
    let all = status
        .clone()
        .with_metadata(metadata(&[("k", "v"), ("first", "x")]));
    let core = said(|mut out| write_trailers(&mut out, Err(&all)));
    assert_eq!(trailer_fields(&trailers(Err(&status), &first)), core);
}

#[test]
fn a_status_alone_says_what_core_writes() {
    let none = Metadata::new();
    let (headers, last) = (metadata(&[("h", "1")]), metadata(&[("t", "2")]));
    let status = Status::internal("x".repeat(10_000)).with_metadata(metadata(&[("k", "v")]));
    let core = said(|mut out| write_trailers_only(&mut out, &status));
    let got = response_fields(&trailers_only(&status, &none, &none));
    assert_eq!(got, (200, core));
    let mut all = status.clone();
    all.metadata_mut().extend(headers.clone());
    all.metadata_mut().extend(last.clone());
    let core = said(|mut out| write_trailers_only(&mut out, &all));
    let got = response_fields(&trailers_only(&status, &headers, &last));
    assert_eq!(got, (200, core));
}

#[test]
fn a_reject_says_what_core_writes() {
    let status = Status::unimplemented("no such method");
    for why in [Reject::NotPost, Reject::ContentType, Reject::Status(status)] {
        let core = said(|mut out| why.write(&mut out));
        let (code, got) = response_fields(&reject(&why));
        assert_eq!(code, why.http_status());
        assert_eq!(got, core, "{why:?}");
    }
}
