//! Which fields the forms of heads have.

use std::ptr;

use http::HeaderValue;
use trunkline_core::{Encoding, protocol};

use super::super::head::{RequestForm, ResponseHead};
use super::fields::{self, Coding, Fields, field_size};
use super::template::{Form, Source};
use super::{int, static_table};

/// What the head of a request is counted for against the peer's SETTINGS_MAX_HEADER_LIST_SIZE.
pub(in super::super) fn request_list_size(form: &RequestForm, extra: &Fields) -> usize {
    list_size(form, extra)
}

/// What the head of a response is counted for.
pub(in super::super) fn response_list_size(head: &ResponseHead, extra: &Fields) -> usize {
    list_size(head, extra)
}

fn list_size(source: &impl Source, extra: &Fields) -> usize {
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
