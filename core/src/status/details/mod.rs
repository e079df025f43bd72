//! Machine-readable details of a status: the messages of `google.rpc`, and whatever else is packed.
//!
//! A status carries any number of details, each a protobuf message with its name. They travel as
//! one `google.rpc.Status` in the trailer `grpc-status-details-bin`, as with every other gRPC
//! implementation; about 3 KiB of them fit.
//! ```
//! use std::time::Duration;
//! use trunkline_core::Status;
//! use trunkline_core::details::{BadRequest, RetryInfo};
//!
//! let status = Status::invalid_argument("the booking is not complete")
//!     .with_detail(BadRequest::new().violation("seat", "is taken"))
//!     .with_detail(RetryInfo::new(Duration::from_secs(2)));
//!
//! // The other side:
//! let request = status.detail::<BadRequest>().expect("it was packed");
//! assert_eq!(request.field_violations[0].field, "seat");
//! assert_eq!(status.detail::<RetryInfo>().and_then(|info| info.delay()), Some(Duration::from_secs(2)));
//! ```
//!
//! # What a peer may send
//!
//! `grpc-status` and `grpc-message` are the status, whatever the details repeat of them:
//!
//! - Details that name another code belong to another error. They are
//!   [`DetailsError::OtherCode`], and [`Status::detail`] finds nothing.
//! - Another text is fine: a long one is cut in either place.
//! - What is no `google.rpc.Status` is [`DetailsError::Malformed`], a detail of an unknown type
//!   an [`AnyDetail`] like all the others.
//!
//! In each case [`Status::details`] gives the bytes as they came.

mod any;
mod envelope;
mod error;
#[cfg(test)]
mod tests;
mod types;
mod violations;

use prost::{Message, Name};

use super::Status;
use envelope::Envelope;

pub use any::AnyDetail;
pub use error::DetailsError;
pub use types::{DebugInfo, ErrorInfo, Help, Link, LocalizedMessage};
pub use types::{RequestInfo, ResourceInfo, RetryInfo};
pub use violations::{BadRequest, FieldViolation, PreconditionFailure, PreconditionViolation};
pub use violations::{QuotaFailure, QuotaViolation};

/// Typed details; the module [`details`](self) tells more.
impl Status {
    /// The same status with one more detail: a message of this module, or any generated one that
    /// has its name (`prost::Name`).
    ///
    /// The details then repeat code and text, so that a peer which looks only at them sees the same
    /// error. Bytes set before by [`with_details`](Self::with_details) are kept if they are a
    /// `google.rpc.Status` of this code, and replaced if not.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a detail is made for the status that it goes with"
    )]
    pub fn with_detail<D: Name>(self, detail: D) -> Self {
        self.with_any_detail(AnyDetail::pack(&detail))
    }

    /// The same status with one more detail, under this name: for messages generated without
    /// `prost::Name`.
    ///
    /// ```
    /// # use trunkline_core::Status;
    /// # #[derive(Clone, PartialEq, prost::Message)]
    /// # struct Wanted { #[prost(string, tag = "1")] seat: String }
    /// let wanted = Wanted { seat: "12a".into() };
    /// let status = Status::aborted("sold").with_detail_named("shop.Wanted", &wanted);
    ///
    /// let details = status.unpack_details()?;
    /// assert_eq!(details[0].name(), "shop.Wanted");
    /// assert_eq!(details[0].decode_as::<Wanted>()?, wanted);
    /// # Ok::<_, trunkline_core::details::DetailsError>(())
    /// ```
    #[must_use]
    pub fn with_detail_named(self, name: &str, detail: &impl Message) -> Self {
        self.with_any_detail(AnyDetail::new(name, detail.encode_to_vec()))
    }

    /// The same status with one more detail, packed already.
    #[must_use]
    pub fn with_any_detail(mut self, detail: AnyDetail) -> Self {
        let mut envelope = Envelope::read(&self).unwrap_or_default();
        envelope.details.push(detail);
        self.0.details = envelope.write(self.0.code, &self.0.message);
        self
    }

    /// The first detail of this type; `None` without one that can be read.
    ///
    /// [`unpack_details`](Self::unpack_details) tells why there is none.
    pub fn detail<D: Name + Default>(&self) -> Option<D> {
        let details = self.unpack_details().ok()?;
        details.iter().find_map(|detail| detail.decode().ok())
    }

    /// All details, in order, whatever their types.
    ///
    /// Errors: the bytes are no `google.rpc.Status`, or one of another code;
    /// [`details`](Self::details) has them as they are.
    pub fn unpack_details(&self) -> Result<Vec<AnyDetail>, DetailsError> {
        if self.0.details.is_empty() {
            return Ok(Vec::new());
        }
        Envelope::read(self).map(|envelope| envelope.details)
    }

    /// Lets the details repeat the text that has taken the place of `old`.
    pub(super) fn sync_details(&mut self, old: &str) {
        if self.0.details.is_empty() {
            return;
        }
        let Ok(envelope) = Envelope::read(self) else {
            return;
        };
        if envelope.repeats(old) {
            self.0.details = envelope.write(self.0.code, &self.0.message);
        }
    }
}
