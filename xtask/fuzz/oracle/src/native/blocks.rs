//! Heads and trailers of random fields.

use bytes::BytesMut;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};

use super::head::{RequestForm, ResponseHead};
use super::hpack::{Encoder, Fields, FieldsWriter};

pub(super) type Field = (Vec<u8>, Vec<u8>);

/// A head or trailers as we send them, and their fields.
pub(super) fn any(random: &mut fastrand::Rng, encoder: &mut Encoder) -> (BytesMut, Vec<Field>) {
    match random.u8(..3) {
        0 => request(random, encoder),
        1 => response(random, encoder),
        _ => {
            let mut block = BytesMut::new();
            let (extra, fields) = extra(random);
            encoder.trailers(&extra, &mut block);
            (block, fields)
        }
    }
}

/// The head of a request.
pub(super) fn request(random: &mut fastrand::Rng, encoder: &mut Encoder) -> (BytesMut, Vec<Field>) {
    let path = *random.choice(PATHS).expect("some");
    let form = RequestForm {
        https: random.bool(),
        authority: Authority::from_static("localhost:50051"),
        path,
        subtype: "proto",
        encoding: None,
        accept_encoding: random
            .bool()
            .then(|| HeaderValue::from_static("identity,gzip")),
        user_agent: HeaderValue::from_static("grpc-rust-trunkline/0.1.0"),
    };
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &str| fields.push((name.into(), value.into()));
    field(":method", "POST");
    field(":scheme", if form.https { "https" } else { "http" });
    field(":path", path);
    field(":authority", "localhost:50051");
    field("te", "trailers");
    field("content-type", "application/grpc");
    if form.accept_encoding.is_some() {
        field("grpc-accept-encoding", "identity,gzip");
    }
    field("user-agent", "grpc-rust-trunkline/0.1.0");
    let mut block = BytesMut::new();
    let (extra, more) = extra(random);
    encoder.request(&form, &extra, &mut block);
    fields.extend(more);
    (block, fields)
}

fn response(random: &mut fastrand::Rng, encoder: &mut Encoder) -> (BytesMut, Vec<Field>) {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &str| fields.push((name.into(), value.into()));
    let head = if random.bool() {
        field(":status", "200");
        field("content-type", "application/grpc+json");
        ResponseHead::Grpc {
            subtype: "json",
            encoding: None,
        }
    } else {
        let status = random.u16(100..600);
        field(":status", &status.to_string());
        ResponseHead::Plain(status)
    };
    let mut block = BytesMut::new();
    let (extra, more) = extra(random);
    encoder.response(&head, &extra, &mut block);
    fields.extend(more);
    (block, fields)
}

const PATHS: &[&str] = &[
    "/tests.echo.Echo/Unary",
    "/tests.echo.Echo/ServerStreaming",
    "/grpc.health.v1.Health/Check",
    "/a.B/C",
    "/a.package.with.a.name.that.is.long/AndAServiceWhoseNameIsLongAsWell/AndAMethod",
];

/// Fields of a call.
fn extra(random: &mut fastrand::Rng) -> (Fields, Vec<Field>) {
    let mut writer = FieldsWriter::new();
    let mut fields = Vec::new();
    if random.bool() {
        let name = if random.bool() {
            "grpc-status"
        } else {
            "grpc-timeout"
        };
        fields.push((name.into(), random.u16(..3).to_string().into()));
    }
    fields.extend((0..random.usize(..4)).map(|_| field(random)));
    fields.retain(|(name, value)| {
        let name = HeaderName::from_lowercase(name);
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) else {
            return false;
        };
        writer.push(&name, &value);
        true
    });
    (writer.finish(), fields)
}

/// Any field, often one that there was before.
pub(super) fn field(random: &mut fastrand::Rng) -> Field {
    let names = [
        "x-request-id",
        "content-type",
        "grpc-encoding",
        ":path",
        "authorization",
        "a",
        "x-a-long-name-of-metadata-bin",
    ];
    let name = (*random.choice(&names).expect("some")).into();
    let value = match random.u8(..3) {
        0 => "application/grpc".into(),
        1 => random.u8(..4).to_string().into(),
        _ => {
            let most = *random.choice(&[4_usize, 40, 300]).expect("some");
            let last = *random.choice(&[0x7e_u8, 0xff]).expect("some");
            (0..random.usize(..most))
                .map(|_| random.u8(b' '..=last))
                .collect()
        }
    };
    (name, value)
}
