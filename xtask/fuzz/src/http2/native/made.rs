//! What our own side sends in the target for a connection's machine.

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};

use super::head::RequestForm;
use super::hpack::{Fields, FieldsWriter};
use crate::Source;

pub(super) fn payload(source: &mut Source<'_>) -> Bytes {
    let length = source.pick(&[0, 1, 100, 5_000, 20_000, 100_000]);
    vec![7; length].into()
}

pub(super) fn form(choice: u8) -> RequestForm {
    const PATHS: &[&str] = &["/a.B/C", "/a.B/D", "/tests.echo.Echo/Once"];
    RequestForm {
        https: choice & 1 != 0,
        authority: Authority::from_static(if choice & 2 != 0 { "here" } else { "there" }),
        path: PATHS
            .get(usize::from(choice >> 2) % PATHS.len())
            .unwrap_or(&"/"),
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        user_agent: HeaderValue::from_static("fuzz"),
    }
}

pub(super) fn fields(choice: u8) -> Fields {
    let mut writer = FieldsWriter::new();
    if choice & 1 != 0 {
        let name = HeaderName::from_static("grpc-status");
        writer.push(&name, &HeaderValue::from_static("0"));
    }
    if choice & 2 != 0 {
        let long = "x".repeat(usize::from(choice) * 100);
        let value = HeaderValue::from_str(&long).expect("visible");
        writer.push(&HeaderName::from_static("x-long"), &value);
    }
    writer.finish()
}
