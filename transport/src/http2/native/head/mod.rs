//! Heads and trailers: what gRPC says in them, and the rules of RFC 9113 §8 for them.

mod build;
mod cache;
mod fields;
mod judge;
mod known;
mod names;
mod request;
mod rules;
pub(super) mod write;

use http::HeaderValue;
use http::uri::Authority;
use trunkline_core::Encoding;

pub(super) use self::build::{HeadBuilder, Kind, Outcome};
pub(super) use self::fields::FieldList;
pub(super) use self::request::Request;

/// The head of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Response {
    /// Three digits; 1xx included.
    pub(super) status: u16,
    pub(super) content_length: Option<u64>,
    pub(super) fields: FieldList,
}

/// What a head that was received is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Head {
    Request(Request),
    Response(Response),
}

/// What of a request's head is the same for many calls: what the encoder's templates are made of.
#[derive(Clone, Debug)]
pub(super) struct RequestForm {
    pub(super) https: bool,
    pub(super) authority: Authority,
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// The codec's content subtype.
    pub(super) subtype: &'static str,
    pub(super) encoding: Option<Encoding>,
    pub(super) accept_encoding: Option<HeaderValue>,
    pub(super) user_agent: HeaderValue,
}

/// What of a response's head is the same for many RPCs.
#[derive(Clone, Debug)]
pub(super) enum ResponseHead {
    /// 200 with a content type of gRPC, and how compressed messages are compressed.
    Grpc {
        subtype: &'static str,
        encoding: Option<Encoding>,
    },
    /// Another status, or Trailers-Only: all its fields are among the literal ones.
    Plain(u16),
}
