//! The writing half of a connection.

use bytes::BytesMut;
use http::HeaderValue;
use trunkline_core::protocol;

use super::super::head::{RequestForm, ResponseHead};
use super::fields::{self, Fields, field_size};
use super::int;

/// Writes the header blocks of a connection; they have to go out in the order in which they are
/// written.
#[derive(Debug, Default)]
pub(in super::super) struct Encoder {
    block: Vec<u8>,
}

impl Encoder {
    pub(in super::super) fn new() -> Self {
        Self::default()
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE.
    pub(in super::super) fn set_peer_limit(&mut self, _bytes: u32) {}

    /// The head of a request.
    pub(in super::super) fn request(
        &mut self,
        form: &RequestForm,
        extra: &Fields,
        out: &mut BytesMut,
    ) {
        self.block.clear();
        request_fields(form, &mut |name, value| plain(name, value, &mut self.block));
        self.end(extra, out);
    }

    /// The head of a response.
    pub(in super::super) fn response(
        &mut self,
        head: &ResponseHead,
        extra: &Fields,
        out: &mut BytesMut,
    ) {
        self.block.clear();
        response_fields(head, &mut |name, value| plain(name, value, &mut self.block));
        self.end(extra, out);
    }

    /// The trailers of a response.
    pub(in super::super) fn trailers(&mut self, extra: &Fields, out: &mut BytesMut) {
        self.block.clear();
        self.end(extra, out);
    }

    fn end(&mut self, extra: &Fields, out: &mut BytesMut) {
        if extra.is_ok() {
            plain(b"grpc-status", b"0", &mut self.block);
        }
        out.extend_from_slice(&self.block);
        out.extend_from_slice(extra.block());
    }
}

fn plain(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    match super::static_table::field_index(name, value) {
        Some(index) => int::encode(usize::from(index), 0x7f, 0x80, out),
        None => fields::literal(name, value, fields::PLAIN, out),
    }
}

/// What the head of a request is counted for against the peer's SETTINGS_MAX_HEADER_LIST_SIZE.
pub(in super::super) fn request_list_size(form: &RequestForm, extra: &Fields) -> usize {
    let mut sum = extra.list_size();
    request_fields(form, &mut |name, value| sum += field_size(name, value));
    sum
}

/// What the head of a response is counted for.
pub(in super::super) fn response_list_size(head: &ResponseHead, extra: &Fields) -> usize {
    let mut sum = extra.list_size();
    response_fields(head, &mut |name, value| sum += field_size(name, value));
    sum
}

fn request_fields(form: &RequestForm, out: &mut impl FnMut(&[u8], &[u8])) {
    out(b":method", b"POST");
    out(b":scheme", if form.https { b"https" } else { b"http" });
    out(b":path", form.path.as_bytes());
    out(b":authority", form.authority.as_str().as_bytes());
    protocol::write_request_form(
        &mut |name, value| out(name.as_str().as_bytes(), HeaderValue::as_bytes(&value)),
        form.subtype,
        form.encoding.as_ref(),
        form.accept_encoding.as_ref(),
        &form.user_agent,
    );
}

fn response_fields(head: &ResponseHead, out: &mut impl FnMut(&[u8], &[u8])) {
    match head {
        ResponseHead::Plain(status) => out(b":status", &digits(*status)),
        ResponseHead::Grpc { subtype, encoding } => {
            out(b":status", b"200");
            protocol::write_response_form(
                &mut |name, value| out(name.as_str().as_bytes(), HeaderValue::as_bytes(&value)),
                subtype,
                encoding.as_ref(),
            );
        }
    }
}

/// A status in the three digits that it has.
fn digits(status: u16) -> [u8; 3] {
    [status / 100, status / 10, status].map(|number| {
        let [digit, _] = (number % 10).to_le_bytes();
        b'0' + digit
    })
}
