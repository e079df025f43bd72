//! Why details cannot be read.

use std::error::Error;
use std::fmt;

use prost::DecodeError;

use crate::code::Code;
use crate::status::Status;

/// Why the details of a status, or one of them, cannot be read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DetailsError {
    /// The bytes are not what they should be.
    Malformed {
        /// The name of the message type.
        what: String,
        /// What is wrong.
        source: DecodeError,
    },
    /// The details belong to another error than the status.
    OtherCode {
        /// The code of the status, which holds.
        status: Code,
        /// The number in the details.
        details: i32,
    },
    /// The detail is of another type.
    OtherType {
        /// The full name of the type that was asked for.
        expected: String,
        /// The full name of its own.
        found: String,
    },
}

impl fmt::Display for DetailsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, .. } => write!(f, "malformed {what} in the details"),
            Self::OtherCode { status, details } => write!(
                f,
                "the status is {status} ({}), its details are of code {details}",
                status.number()
            ),
            Self::OtherType { expected, found } => {
                write!(f, "the detail is a {found:?}, not a {expected:?}")
            }
        }
    }
}

/// `INTERNAL` without its text, see [`Status::from_error`].
impl From<DetailsError> for Status {
    fn from(error: DetailsError) -> Self {
        Self::from_error(error)
    }
}

impl Error for DetailsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed { source, .. } => Some(source),
            Self::OtherCode { .. } | Self::OtherType { .. } => None,
        }
    }
}
