//! The head of a response, and answers that are not gRPC at all.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::content_type::{self, ContentType};
use super::field::{Field, Purpose};
use super::{find_encoding, names, quoted, values};
use crate::code::Code;
use crate::compression::{CompressorRegistry, Encoding};
use crate::metadata::Metadata;
use crate::status::wire::StatusFields;
use crate::status::{Origin, Stage, Status};

/// What the head of a response means.
#[derive(Clone, Debug)]
pub enum ResponseHead {
    /// Messages and trailers follow; this is the headers' metadata, and how messages with the
    /// compressed flag are compressed.
    Stream(Metadata, Option<Encoding>),
    /// The RPC is over, either because the head was all there is, or because what follows cannot
    /// be read; in the second case the stream has to be reset.
    Ended(Result<Metadata, Status>),
    /// The answer is not gRPC; its body, if one follows, helps to say what it is.
    NotGrpc(NotGrpc),
}

/// Reads the head of a response; `end_stream` says that nothing follows it.
///
/// A `grpc-status` with something behind it is ignored: only the end of a stream may give one.
/// A `grpc-encoding` that is neither `identity` nor one of `known` is INTERNAL: the server was told
/// what would do.
/// Source: gRPC over HTTP/2, "Responses"; "HTTP to gRPC Status Code Mapping"; gRPC "Compression".
pub fn read_response_head(
    http_status: u16,
    end_stream: bool,
    fields: impl IntoIterator<Item: Field>,
    known: &CompressorRegistry,
) -> ResponseHead {
    let mut status = StatusFields::default();
    let mut metadata = Metadata::new();
    let mut content_type = None;
    let mut encoding = None;
    for field in fields {
        let purpose = Purpose::of(field.name());
        let Some(field) = status.take(purpose, field) else {
            continue;
        };
        match purpose {
            Purpose::ContentType => content_type = Some(field.into_parts().1),
            Purpose::Encoding => encoding = Some(field.into_parts().1),
            Purpose::Metadata => {
                let (name, value) = field.into_parts();
                metadata.push_wire(name, value);
            }
            _ => {}
        }
    }
    let is_grpc = |value: &HeaderValue| {
        matches!(
            ContentType::parse(value.as_bytes()),
            ContentType::Grpc { .. }
        )
    };
    let usable = match http_status {
        200 => content_type.as_ref().is_some_and(is_grpc),
        _ => end_stream && status.is_error(),
    };
    if !usable {
        return ResponseHead::NotGrpc(NotGrpc {
            http_status,
            content_type,
            metadata,
            body: Vec::new(),
        });
    }
    if end_stream {
        return ResponseHead::Ended(status.finish(metadata));
    }
    let Some(encoding) = encoding.filter(|encoding| *encoding != values::IDENTITY) else {
        return ResponseHead::Stream(metadata, None);
    };
    if let Some(encoding) = find_encoding(known, &encoding) {
        return ResponseHead::Stream(metadata, Some(encoding.clone()));
    }
    let identity = values::IDENTITY;
    let accepted = known.accept_encoding().unwrap_or(&identity);
    let encoding = quoted(&encoding);
    let text = format!("grpc-encoding {encoding} is not supported, only {accepted:?}");
    ResponseHead::Ended(Err(Status::internal(text)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Response)
        .with_metadata(metadata)))
}

/// Writes the head of a response that messages follow, the pseudo-header field excepted.
///
/// `subtype` is the codec's; `encoding` is what messages with the compressed flag are compressed
/// with.
pub fn write_response_head(
    out: &mut impl FnMut(HeaderName, HeaderValue),
    subtype: &'static str,
    encoding: Option<&Encoding>,
    metadata: &Metadata,
) {
    write_response_form(out, subtype, encoding);
    for (name, value) in metadata.wire() {
        out(name.clone(), value.clone());
    }
}

/// Writes those fields of a response's head that are the same for many RPCs; the metadata follows
/// them.
pub fn write_response_form(
    out: &mut impl FnMut(HeaderName, HeaderValue),
    subtype: &'static str,
    encoding: Option<&Encoding>,
) {
    out(header::CONTENT_TYPE, content_type::value(subtype));
    if let Some(encoding) = encoding {
        out(names::GRPC_ENCODING, encoding.header_value().clone());
    }
}

/// An answer that is not gRPC, such as a proxy's error page, on its way to become a [`Status`].
#[derive(Clone, Debug)]
pub struct NotGrpc {
    http_status: u16,
    content_type: Option<HeaderValue>,
    metadata: Metadata,
    body: Vec<u8>,
}

/// How much of a body the text shows.
const SHOWN_BYTES: usize = 100;

impl NotGrpc {
    /// Takes the next bytes of the body; `true` once more would not be used.
    pub fn push_body(&mut self, bytes: &[u8]) -> bool {
        let room = SHOWN_BYTES.saturating_sub(self.body.len());
        self.body.extend(bytes.iter().take(room));
        self.body.len() >= SHOWN_BYTES
    }

    /// The status, whose text says what came instead: HTTP status, content type, start of the body.
    ///
    /// Shape: the code follows from the HTTP status; the metadata is the answer's headers.
    pub fn into_status(self) -> Status {
        let mut text = format!("HTTP {}", self.http_status);
        let known = StatusCode::from_u16(self.http_status).ok();
        if let Some(reason) = known.and_then(|status| status.canonical_reason()) {
            text.push(' ');
            text.push_str(reason);
        }
        match &self.content_type {
            Some(value) => text.push_str(&format!(" with content-type {}", quoted(value))),
            None => text.push_str(" without content-type"),
        }
        text.push_str(", not gRPC");
        if !self.body.is_empty() {
            let body = String::from_utf8_lossy(&self.body);
            text.push_str("; body starts \"");
            text.extend(body.escape_debug());
            text.push('"');
        }
        Status::new(Code::from_http_status(self.http_status), text)
            .with_origin(Origin::Transport)
            .with_stage(Stage::Response)
            .with_metadata(self.metadata)
    }
}

#[cfg(test)]
mod tests;
