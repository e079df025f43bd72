//! The head of a request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::content_type::{self, ContentType, Subtype};
use super::field::{Field, Purpose};
use super::{find_encoding, names, quoted, values};
use crate::compression::{CompressorRegistry, Encoding};
use crate::deadline::Timeout;
use crate::metadata::Metadata;
use crate::status::wire::write_trailers_only;
use crate::status::{Origin, Stage, Status};

/// What a request's head says, each part in its own form.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestFields {
    /// What the client's user sent.
    pub metadata: Metadata,
    /// How long the client waits.
    pub timeout: Option<Duration>,
    /// The codec that the content type names; `None` for plain `application/grpc`.
    pub subtype: Option<Subtype>,
    /// How messages with the compressed flag are compressed; `None` for `identity`.
    pub encoding: Option<Encoding>,
    /// What the client can decompress.
    pub accept_encoding: Option<HeaderValue>,
    /// The client's name for itself. Not in `metadata`, so that a call without metadata of its own
    /// allocates nothing for it.
    pub user_agent: Option<HeaderValue>,
}

/// A request that is answered without a handler.
#[derive(Clone, Debug)]
pub enum Reject {
    /// The HTTP method is not POST: answer 405 with `allow: POST`.
    NotPost,
    /// The content type is not gRPC: answer 415.
    ContentType,
    /// It is gRPC, but cannot be served: answer 200 and this status, as trailers only.
    Status(Status),
}

impl Reject {
    /// The HTTP status of the answer.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::NotPost => 405,
            Self::ContentType => 415,
            Self::Status(_) => 200,
        }
    }

    /// Writes the fields of the answer, which ends with its head.
    pub fn write(&self, out: &mut impl FnMut(HeaderName, HeaderValue)) {
        match self {
            Self::NotPost => out(header::ALLOW, values::POST),
            Self::ContentType => {}
            Self::Status(status) => write_trailers_only(out, status),
        }
    }
}

/// Reads the head of a request.
///
/// Errors: [`Reject`] says what to answer. A malformed `grpc-timeout` is `INTERNAL`; a
/// `grpc-encoding` that is neither `identity` nor one of `known` is `UNIMPLEMENTED` and comes with
/// the `grpc-accept-encoding` that would do.
/// Source: gRPC over HTTP/2, "Requests"; gRPC "Compression".
pub fn read_request(
    http_method: &str,
    fields: impl IntoIterator<Item: Field>,
    known: &CompressorRegistry,
) -> Result<RequestFields, Reject> {
    let mut reader = RequestReader::new(known);
    for field in fields {
        reader.take(field);
    }
    reader.finish(http_method)
}

/// Reads the head of a request field by field, as [`read_request`] does.
///
/// A clone goes on from where the first one stands: for an engine whose requests begin alike.
#[derive(Clone, Debug)]
pub struct RequestReader {
    read: RequestFields,
    known: CompressorRegistry,
    content_type: ContentType,
    problem: Option<Status>,
}

impl RequestReader {
    /// Nothing was read so far. `known` is what messages may be compressed with.
    #[must_use]
    pub fn new(known: &CompressorRegistry) -> Self {
        Self {
            read: RequestFields::default(),
            known: known.clone(),
            content_type: ContentType::Other,
            problem: None,
        }
    }

    /// Whether it knows the same encodings, being made of the same value.
    #[must_use]
    pub fn knows(&self, known: &CompressorRegistry) -> bool {
        self.known.is_same(known)
    }

    /// Reads the next field.
    #[inline]
    pub fn take(&mut self, field: impl Field) {
        let read = &mut self.read;
        let value = field.value();
        match Purpose::of(field.name()) {
            Purpose::ContentType => self.content_type = ContentType::parse(value.as_bytes()),
            Purpose::UserAgent => read.user_agent = Some(field.into_parts().1),
            Purpose::AcceptEncoding => join(&mut read.accept_encoding, field.into_parts().1),
            Purpose::Encoding if *value == values::IDENTITY => read.encoding = None,
            Purpose::Encoding => match find_encoding(&self.known, value) {
                Some(encoding) => read.encoding = Some(encoding.clone()),
                None => self.problem = Some(unknown_encoding(value, &self.known)),
            },
            Purpose::Timeout => match Timeout::parse(value.as_bytes()) {
                Ok(timeout) => {
                    let timeout = timeout.duration();
                    let earlier = |other: Duration| other.min(timeout);
                    read.timeout = Some(read.timeout.map_or(timeout, earlier));
                }
                Err(error) => {
                    let value = quoted(value);
                    let text = format!("grpc-timeout {value} is malformed: {error}");
                    self.problem = Some(Status::internal(text).with_source(error));
                }
            },
            Purpose::Http | Purpose::Status | Purpose::Message | Purpose::Details => {}
            Purpose::Metadata => {
                let (name, value) = field.into_parts();
                read.metadata.push_wire(name, value);
            }
        }
    }

    /// What the head says.
    ///
    /// # Errors
    /// As [`read_request`].
    #[inline]
    pub fn finish(mut self, http_method: &str) -> Result<RequestFields, Reject> {
        if http_method != "POST" {
            return Err(Reject::NotPost);
        }
        match (self.content_type, self.problem) {
            (ContentType::Other, _) => Err(Reject::ContentType),
            (ContentType::Grpc { .. }, Some(status)) => {
                let status = status.with_origin(Origin::Local);
                Err(Reject::Status(status.with_stage(Stage::Request)))
            }
            (ContentType::Grpc { subtype }, None) => {
                self.read.subtype = subtype;
                Ok(self.read)
            }
        }
    }
}

/// A list may come in several fields.
fn join(list: &mut Option<HeaderValue>, more: HeaderValue) {
    *list = match list.take() {
        None => Some(more),
        Some(first) => {
            let both = [first.as_bytes(), more.as_bytes()].join(&b',');
            Some(HeaderValue::from_bytes(&both).unwrap_or(first))
        }
    };
}

/// Also says what would do, which HTTP and gRPC ask for.
fn unknown_encoding(encoding: &HeaderValue, known: &CompressorRegistry) -> Status {
    let accepted = known.accept_encoding().unwrap_or(&values::IDENTITY).clone();
    let encoding = quoted(encoding);
    let text = format!("grpc-encoding {encoding} is not supported, only {accepted:?}");
    let mut status = Status::unimplemented(text);
    let metadata = status.metadata_mut();
    metadata.push_wire(names::GRPC_ACCEPT_ENCODING, accepted);
    status
}

/// Writes the head of a request, the pseudo-header fields excepted.
///
/// `subtype` is the codec's; `timeout` is the time left, so call this as late as possible.
/// `encoding` is what messages with the compressed flag are compressed with; `accept` what the
/// answer may be.
pub fn write_request(
    out: &mut impl FnMut(HeaderName, HeaderValue),
    subtype: &'static str,
    timeout: Option<Duration>,
    encoding: Option<&Encoding>,
    accept: Option<&HeaderValue>,
    user_agent: &HeaderValue,
    metadata: &Metadata,
) {
    write_request_form(out, subtype, encoding, accept, user_agent);
    write_timeout(out, timeout);
    for (name, value) in metadata.wire() {
        out(name.clone(), value.clone());
    }
}

/// Writes those fields of a request's head that are the same for many calls: an engine may keep
/// them in a form of its own. [`write_timeout`] follows, and the metadata.
pub fn write_request_form(
    out: &mut impl FnMut(HeaderName, HeaderValue),
    subtype: &'static str,
    encoding: Option<&Encoding>,
    accept: Option<&HeaderValue>,
    user_agent: &HeaderValue,
) {
    out(header::TE, values::TRAILERS);
    out(header::CONTENT_TYPE, content_type::value(subtype));
    if let Some(encoding) = encoding {
        out(names::GRPC_ENCODING, encoding.header_value().clone());
    }
    if let Some(accept) = accept {
        out(names::GRPC_ACCEPT_ENCODING, accept.clone());
    }
    out(header::USER_AGENT, user_agent.clone());
}

/// Writes what is left of a call's deadline. It follows [`write_request_form`]; the call's metadata
/// follows it.
pub fn write_timeout(out: &mut impl FnMut(HeaderName, HeaderValue), timeout: Option<Duration>) {
    if let Some(timeout) = timeout {
        out(names::GRPC_TIMEOUT, Timeout::new(timeout).to_value());
    }
}

#[cfg(test)]
mod tests;
