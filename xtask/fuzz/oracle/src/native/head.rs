//! Doubles of the forms that the encoder has templates for: the product's module needs all of HTTP/2.

use http::HeaderValue;
use http::uri::Authority;
use trunkline_core::Encoding;

#[derive(Clone, Debug)]
pub(crate) struct RequestForm {
    pub(crate) https: bool,
    pub(crate) authority: Authority,
    pub(crate) path: &'static str,
    pub(crate) subtype: &'static str,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) accept_encoding: Option<HeaderValue>,
    pub(crate) user_agent: HeaderValue,
}

#[derive(Clone, Debug)]
pub(crate) enum ResponseHead {
    Grpc {
        subtype: &'static str,
        encoding: Option<Encoding>,
    },
    Plain(u16),
}
