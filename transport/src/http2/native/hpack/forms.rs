//! Which fields the forms of heads have.

use std::ptr;

use http::HeaderValue;
use trunkline_core::{Encoding, protocol};

use super::super::head::{RequestForm, ResponseHead};
use super::fields::{self, Coding, Fields, field_size};
use super::template::{Form, Source};
use super::{int, static_table};

/// The most that a form counts for its names, for its fields, and for the values that never change.
const FIXED_OCTETS: usize = 512;

/// Whether a request's head is within the peer's SETTINGS_MAX_HEADER_LIST_SIZE.
pub(in super::super) fn request_fits(form: &RequestForm, extra: &Fields, limit: usize) -> bool {
    let value = |value: Option<&HeaderValue>| value.map_or(0, HeaderValue::len);
    let octets = form.path.len()
        + form.authority.as_str().len()
        + form.subtype.len()
        + value(form.encoding.as_ref().map(Encoding::header_value))
        + value(form.accept_encoding.as_ref())
        + form.user_agent.len();
    fits(form, octets, extra, limit)
}

/// Whether a response's head is.
pub(in super::super) fn response_fits(head: &ResponseHead, extra: &Fields, limit: usize) -> bool {
    let octets = match head {
        ResponseHead::Plain(_) => 0,
        ResponseHead::Grpc { subtype, encoding } => {
            let encoding = encoding.as_ref().map(Encoding::header_value);
            subtype.len() + encoding.map_or(0, HeaderValue::len)
        }
    };
    fits(head, octets, extra, limit)
}

/// Nearly always a look at `octets`, the length of the values that the form has, is enough.
fn fits(source: &impl Source, octets: usize, extra: &Fields, limit: usize) -> bool {
    octets + FIXED_OCTETS + extra.list_size() <= limit || list_size(source, extra) <= limit
}

/// What the fields count in the peer's list.
pub(super) fn list_size(source: &impl Source, extra: &Fields) -> usize {
    let mut sum = extra.list_size();
    source.fields(&mut |name, value, _| sum += field_size(name, value));
    sum
}

impl Source for RequestForm {
    fn fields(&self, out: &mut impl FnMut(&[u8], &[u8], bool)) {
        out(b":method", b"POST", false);
        let scheme: &[u8] = if self.https { b"https" } else { b"http" };
        out(b":scheme", scheme, false);
        out(b":path", self.path.as_bytes(), false);
        out(b":authority", self.authority.as_str().as_bytes(), false);
        protocol::write_request_form(
            &mut |name, value| regular(name.as_str(), &value, out),
            self.subtype,
            self.encoding.as_ref(),
            self.accept_encoding.as_ref(),
            &self.user_agent,
        );
    }
}

impl Form for RequestForm {
    /// More than so many methods on one connection are rare.
    const KEPT: usize = 64;

    /// Also of letter case in the authority, which its own equality forgives.
    fn is_same(&self, other: &Self) -> bool {
        is_same(self.path, other.path)
            && is_same(self.authority.as_str(), other.authority.as_str())
            && self.https == other.https
            && is_same(self.subtype, other.subtype)
            && is_same_encoding(self.encoding.as_ref(), other.encoding.as_ref())
            && is_same_value(
                self.accept_encoding.as_ref(),
                other.accept_encoding.as_ref(),
            )
            && is_same_value(Some(&self.user_agent), Some(&other.user_agent))
    }
}

impl Source for ResponseHead {
    fn fields(&self, out: &mut impl FnMut(&[u8], &[u8], bool)) {
        match self {
            Self::Plain(status) => out(b":status", &digits(*status), false),
            Self::Grpc { subtype, encoding } => {
                out(b":status", b"200", false);
                protocol::write_response_form(
                    &mut |name, value| regular(name.as_str(), &value, out),
                    subtype,
                    encoding.as_ref(),
                );
            }
        }
    }
}

impl Form for ResponseHead {
    /// A codec and an encoding each.
    const KEPT: usize = 8;

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Grpc { subtype, encoding },
                Self::Grpc {
                    subtype: other_subtype,
                    encoding: other_encoding,
                },
            ) => {
                is_same(subtype, other_subtype)
                    && is_same_encoding(encoding.as_ref(), other_encoding.as_ref())
            }
            (Self::Plain(status), Self::Plain(other)) => status == other,
            (Self::Grpc { .. }, Self::Plain(_)) | (Self::Plain(_), Self::Grpc { .. }) => false,
        }
    }
}

/// The trailers of nearly every RPC.
#[derive(Debug)]
pub(super) struct GrpcStatus0;

impl Source for GrpcStatus0 {
    fn fields(&self, out: &mut impl FnMut(&[u8], &[u8], bool)) {
        out(b"grpc-status", b"0", false);
    }
}

/// A `:status` that is no template: either in the static table, or a literal.
pub(super) fn status(number: u16) -> Vec<u8> {
    let (name, value) = (b":status", digits(number));
    let mut out = Vec::new();
    match static_table::field_index(name, &value) {
        Some(index) => int::encode(usize::from(index), 0x7f, 0x80, &mut out),
        None => fields::literal(name, &value, fields::PLAIN, Coding::Plain, &mut out),
    }
    out
}

/// A status in the three digits that it has.
fn digits(status: u16) -> [u8; 3] {
    [status / 100, status / 10, status].map(|number| {
        let [digit, _] = (number % 10).to_le_bytes();
        b'0' + digit
    })
}

fn regular(name: &str, value: &HeaderValue, out: &mut impl FnMut(&[u8], &[u8], bool)) {
    let secret = value.is_sensitive() || fields::is_secret(name.as_bytes());
    out(name.as_bytes(), value.as_bytes(), secret);
}

/// Mostly it is the same place in memory.
#[inline]
fn is_same(text: &str, other: &str) -> bool {
    ptr::eq(text, other) || text == other
}

#[inline]
fn is_same_value(value: Option<&HeaderValue>, other: Option<&HeaderValue>) -> bool {
    match (value, other) {
        (Some(value), Some(other)) => {
            let (text, other_text) = (value.as_bytes(), other.as_bytes());
            value.is_sensitive() == other.is_sensitive()
                && (ptr::eq(text, other_text) || text == other_text)
        }
        (None, None) => true,
        _ => false,
    }
}

fn is_same_encoding(encoding: Option<&Encoding>, other: Option<&Encoding>) -> bool {
    is_same_value(
        encoding.map(Encoding::header_value),
        other.map(Encoding::header_value),
    )
}

#[cfg(test)]
mod tests {
    use http::uri::Authority;

    use super::*;

    #[test]
    fn a_head_fits_up_to_its_size_whatever_its_fields() {
        let encodings = trunkline_core::CompressorRegistry::default();
        for subtype in [
            "",
            "proto",
            "json",
            "a-codec-with-a-name-that-is-rather-long",
        ] {
            for length in [0, 1, 2_000] {
                let value = || HeaderValue::try_from("v".repeat(length)).unwrap();
                let form = RequestForm {
                    https: length == 1,
                    authority: Authority::from_static("localhost:50051"),
                    path: "p".repeat(length + 1).leak(),
                    subtype,
                    encoding: None,
                    accept_encoding: encodings.accept_encoding().cloned().or(Some(value())),
                    user_agent: value(),
                };
                let extra = Fields::default();
                let size = list_size(&form, &extra);
                assert!(request_fits(&form, &extra, size));
                assert!(request_fits(&form, &extra, size + FIXED_OCTETS));
                assert!(!request_fits(&form, &extra, size - 1));
            }
            for head in [
                ResponseHead::Plain(405),
                ResponseHead::Grpc {
                    subtype,
                    encoding: None,
                },
            ] {
                let extra = Fields::default();
                let size = list_size(&head, &extra);
                assert!(response_fits(&head, &extra, size));
                assert!(!response_fits(&head, &extra, size - 1));
            }
        }
    }
}
