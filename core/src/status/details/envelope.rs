//! The `google.rpc.Status` that details travel in.

use bytes::Bytes;
use prost::Message;

use super::super::wire::MAX_RAW_DETAILS_BYTES;
use super::{AnyDetail, DetailsError};
use crate::code::Code;
use crate::status::Status;

/// What the text costs besides itself, and code and lengths with it: at most this.
const OVERHEAD_BYTES: usize = 24;

/// Code and text once more, and the details.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Envelope {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<AnyDetail>,
}

impl Envelope {
    /// Reads the details of a status.
    ///
    /// Errors: they are none of `google.rpc`, or not of this status.
    pub(super) fn read(status: &Status) -> Result<Self, DetailsError> {
        let envelope =
            Self::decode(status.0.details.clone()).map_err(|source| DetailsError::Malformed {
                what: "google.rpc.Status".to_owned(),
                source,
            })?;
        let code = status.code();
        if i32::try_from(code.number()) == Ok(envelope.code) {
            Ok(envelope)
        } else {
            Err(DetailsError::OtherCode {
                status: code,
                details: envelope.code,
            })
        }
    }

    /// The bytes, with this code and text.
    pub(super) fn write(mut self, code: Code, message: &str) -> Bytes {
        self.code = i32::try_from(code.number()).unwrap_or_default();
        self.message = self.fitting(message);
        self.encode_to_vec().into()
    }

    /// Whether the text is this one, as it fits.
    pub(super) fn repeats(&self, message: &str) -> bool {
        self.message == self.fitting(message)
    }

    /// As much of the text as leaves room for the details: they would be left out otherwise, and
    /// the whole text travels beside them.
    fn fitting(&self, message: &str) -> String {
        let details: usize = self
            .details
            .iter()
            .map(|detail| {
                prost::length_delimiter_len(detail.encoded_len()) + detail.encoded_len() + 1
            })
            .sum();
        let room = MAX_RAW_DETAILS_BYTES.saturating_sub(details + OVERHEAD_BYTES);
        if message.len() <= room {
            return message.to_owned();
        }
        let mark = format!("... [cut, {} bytes in all]", message.len());
        let end = message.floor_char_boundary(room.saturating_sub(mark.len()));
        let kept = message.get(..end).unwrap_or_default();
        format!("{kept}{mark}")
    }
}
