//! The one place that writes and reads `grpc-status`, `grpc-message`, `grpc-status-details-bin`.
//!
//! What is written fits a block of 8 KiB, which every peer takes: a long message is cut and marked,
//! long details are left out and the message says so. The code always arrives.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, header};

use super::{Origin, Stage, Status, percent};
use crate::code::Code;
use crate::metadata::{Metadata, decode_binary, encode_binary, encoded_len};
use crate::protocol::field::{Field, Purpose};
use crate::protocol::{names, quoted, values};

/// The most bytes of percent-encoded message on the wire.
const MAX_MESSAGE_BYTES: usize = 3_968;
/// The least that a message gets, however large the user's own metadata is.
const MIN_MESSAGE_BYTES: usize = 512;
/// The most bytes of base64 details on the wire.
const MAX_DETAILS_BYTES: usize = 3_968;
/// The most bytes of details that this allows.
#[cfg(feature = "prost")]
pub(super) const MAX_RAW_DETAILS_BYTES: usize = MAX_DETAILS_BYTES / 4 * 3;
/// What the block may be in all, by HTTP/2's count: name, value and 32 bytes for each field.
const MAX_BLOCK_BYTES: usize = 8_192;
/// `:status`, `content-type`, `grpc-status`, and the names of message and details.
const FIXED_BYTES: usize = 256;
/// What HTTP/2 counts for a field besides its name and value.
const FIELD_BYTES: usize = 32;

/// Writes the trailers of an RPC: its status, then its metadata.
///
/// A message over about 4 KiB (encoded) is cut at a character and marked with the full length;
/// details over about 3 KiB are left out, and the message says so.
pub fn write_trailers(
    out: &mut impl FnMut(HeaderName, HeaderValue),
    result: Result<&Metadata, &Status>,
) {
    write_status(out, result.map(|_| ()));
    let metadata = result.unwrap_or_else(Status::metadata);
    for (name, value) in metadata.wire() {
        out(name.clone(), value.clone());
    }
}

/// Writes the only head of an RPC that failed before its first message: content type and trailers
/// in one.
pub fn write_trailers_only(out: &mut impl FnMut(HeaderName, HeaderValue), status: &Status) {
    out(header::CONTENT_TYPE, values::APPLICATION_GRPC);
    write_trailers(out, Err(status));
}

/// Writes the trailers of an RPC but for the metadata, which follows.
pub fn write_status(out: &mut impl FnMut(HeaderName, HeaderValue), result: Result<(), &Status>) {
    let Err(status) = result else {
        return out(names::GRPC_STATUS, code_value(Code::Ok));
    };
    out(names::GRPC_STATUS, code_value(status.code()));
    let Plan {
        details,
        dropped,
        room,
    } = Plan::new(status);
    if let Some(message) = message_value(status, dropped, room) {
        out(names::GRPC_MESSAGE, message);
    }
    if details > 0 {
        out(names::GRPC_STATUS_DETAILS, encode_binary(status.details()));
    }
}

/// Whether a status reaches the other side whole: nothing of its text is cut, no details left out.
pub fn fits_trailers(status: &Status) -> bool {
    let Plan { dropped, room, .. } = Plan::new(status);
    let message = status.message();
    dropped == 0 && percent::fitting(message, room).len() == message.len()
}

/// What of a status is sent.
struct Plan {
    /// Bytes of base64.
    details: usize,
    /// Bytes of details that are left out.
    dropped: usize,
    /// Bytes that the message may take.
    room: usize,
}

impl Plan {
    fn new(status: &Status) -> Self {
        let raw = status.details().len();
        let (details, dropped) = match encoded_len(raw) {
            length if length > MAX_DETAILS_BYTES => (0, raw),
            length => (length, 0),
        };
        let others = FIXED_BYTES + details + block_len(status.metadata());
        let room = MAX_BLOCK_BYTES
            .saturating_sub(others)
            .clamp(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES);
        Self {
            details,
            dropped,
            room,
        }
    }
}

/// The message, percent-encoded, in at most `room` bytes; `None` if there is nothing to say.
fn message_value(status: &Status, dropped_details: usize, room: usize) -> Option<HeaderValue> {
    let message = &status.0.message;
    if message.is_empty() && dropped_details == 0 {
        return None;
    }
    if dropped_details == 0 && message.len() <= room && percent::is_plain_text(message) {
        return match message {
            Cow::Borrowed(text) => Some(HeaderValue::from_static(text)),
            Cow::Owned(text) => HeaderValue::from_str(text).ok(),
        };
    }
    let note = match dropped_details {
        0 => String::new(),
        bytes => format!(" [details left out, {bytes} bytes]"),
    };
    let mut encoded = String::new();
    let whole = percent::fitting(message, room.saturating_sub(note.len()));
    if whole.len() == message.len() {
        percent::encode(message, &mut encoded);
    } else {
        let mark = format!("... [cut, {} bytes in all]", message.len());
        let text = percent::fitting(message, room.saturating_sub(note.len() + mark.len()));
        percent::encode(text, &mut encoded);
        encoded.push_str(&mark);
    }
    encoded.push_str(if encoded.is_empty() {
        note.trim_start()
    } else {
        &note
    });
    HeaderValue::try_from(encoded).ok()
}

/// What the metadata takes in a header block, by HTTP/2's count.
fn block_len(metadata: &Metadata) -> usize {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_BYTES
    };
    metadata.wire().map(field).sum()
}

/// Reads the trailers of an RPC: its metadata if it went well, its status if not.
///
/// Never fails to say something: without `grpc-status` the RPC failed with `UNKNOWN`, so does one
/// with a value that is no known code, and escapes or base64 that are broken cost only themselves.
/// Source: gRPC over HTTP/2, "Responses".
pub fn read_trailers(fields: impl IntoIterator<Item: Field>) -> Result<Metadata, Status> {
    let mut status = StatusFields::default();
    let mut metadata = Metadata::new();
    for field in fields {
        let purpose = Purpose::of(field.name());
        if let Some(field) = status.take(purpose, field)
            && purpose == Purpose::Metadata
        {
            let (name, value) = field.into_parts();
            metadata.push_wire(name, value);
        }
    }
    status.finish(metadata)
}

/// What the fields of one block say about the status.
#[derive(Debug, Default)]
pub(crate) struct StatusFields {
    status: Option<HeaderValue>,
    /// A second `grpc-status` that says something else.
    contradiction: Option<HeaderValue>,
    message: Option<HeaderValue>,
    details: Option<HeaderValue>,
}

impl StatusFields {
    /// Keeps the field if it is about the status, else gives it back.
    pub(crate) fn take<F: Field>(&mut self, purpose: Purpose, field: F) -> Option<F> {
        match purpose {
            Purpose::Status => match &self.status {
                None => self.status = Some(field.into_parts().1),
                Some(first) if first == field.value() => {}
                Some(_) => self.contradiction = Some(field.into_parts().1),
            },
            Purpose::Message if self.message.is_none() => {
                self.message = Some(field.into_parts().1);
            }
            Purpose::Details if self.details.is_none() => {
                self.details = Some(field.into_parts().1);
            }
            Purpose::Message | Purpose::Details => {}
            _ => return Some(field),
        }
        None
    }

    /// Whether there is a well-formed status other than OK.
    pub(crate) fn is_error(&self) -> bool {
        let number = self.status.as_ref().and_then(parse_number);
        self.contradiction.is_none() && number.is_some_and(|number| number != 0)
    }

    /// The outcome of the RPC.
    pub(crate) fn finish(self, metadata: Metadata) -> Result<Metadata, Status> {
        let broken = |text: Cow<'static, str>| {
            Status::new(Code::Unknown, text)
                .with_origin(Origin::Transport)
                .with_stage(Stage::Response)
        };
        let Some(value) = self.status else {
            let status = broken("trailers without grpc-status".into());
            return Err(status.with_metadata(metadata));
        };
        if let Some(other) = self.contradiction {
            let (value, other) = (quoted(&value), quoted(&other));
            let text = format!("trailers with two grpc-status values, {value} and {other}");
            return Err(broken(text.into()).with_metadata(metadata));
        }
        let message = self.message.as_ref().map(HeaderValue::as_bytes);
        let message = message.map(percent::decode).unwrap_or_default();
        let status = match parse_number(&value) {
            Some(0) => return Ok(metadata),
            Some(number @ ..=16) => Status::new(Code::from_number(number), message),
            Some(number) => {
                let text = format!("unknown grpc-status {number}");
                Status::unknown(joined(text, &message))
            }
            None => {
                let text = format!("malformed grpc-status {}", quoted(&value));
                return Err(broken(joined(text, &message).into()).with_metadata(metadata));
            }
        };
        let details = self
            .details
            .and_then(|value| decode_binary(value.as_bytes()));
        Err(status
            .with_origin(Origin::Peer)
            .with_details(details.unwrap_or_default())
            .with_metadata(metadata))
    }
}

fn joined(mut text: String, message: &str) -> String {
    if !message.is_empty() {
        text.push_str(": ");
        text.push_str(message);
    }
    text
}

/// Plain decimal digits: no sign, no leading zero, nothing else.
fn parse_number(value: &HeaderValue) -> Option<u32> {
    let text = value.to_str().ok()?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical {
        text.parse().ok()
    } else {
        None
    }
}

/// The value of `grpc-status`, without allocating.
fn code_value(code: Code) -> HeaderValue {
    HeaderValue::from_static(match code {
        Code::Ok => "0",
        Code::Cancelled => "1",
        Code::Unknown => "2",
        Code::InvalidArgument => "3",
        Code::DeadlineExceeded => "4",
        Code::NotFound => "5",
        Code::AlreadyExists => "6",
        Code::PermissionDenied => "7",
        Code::ResourceExhausted => "8",
        Code::FailedPrecondition => "9",
        Code::Aborted => "10",
        Code::OutOfRange => "11",
        Code::Unimplemented => "12",
        Code::Internal => "13",
        Code::Unavailable => "14",
        Code::DataLoss => "15",
        Code::Unauthenticated => "16",
    })
}
