//! The 17 status codes and what other protocols' error numbers mean in them.

use std::borrow::Borrow;
use std::fmt;

use crate::status::Status;

/// How an RPC ended, as one of the 17 codes that every gRPC implementation shares.
///
/// Source: gRPC "Status codes and their use in gRPC".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// It worked. Never found inside a [`Status`](crate::Status), which is always an error.
    Ok = 0,
    /// Somebody, usually the caller, called it off.
    Cancelled = 1,
    /// An error that says nothing more, or one in numbers this side does not know.
    Unknown = 2,
    /// The request is wrong whatever state the system is in.
    InvalidArgument = 3,
    /// Time ran out first. The work may still have been done.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be made exists already.
    AlreadyExists = 6,
    /// The caller is known and may not do this.
    PermissionDenied = 7,
    /// A quota, a size limit or a resource is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the operation needs.
    FailedPrecondition = 9,
    /// A conflict, such as a lost race; starting again higher up may help.
    Aborted = 10,
    /// Past the valid range, such as reading behind the end.
    OutOfRange = 11,
    /// This server does not offer the operation.
    Unimplemented = 12,
    /// Something that must not happen did.
    Internal = 13,
    /// Not reachable now; trying again is reasonable.
    Unavailable = 14,
    /// Data is lost or broken for good.
    DataLoss = 15,
    /// The caller has no valid credentials.
    Unauthenticated = 16,
}

impl Code {
    /// The code with this number; `Unknown` for a number that no code has.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Cancelled,
            3 => Self::InvalidArgument,
            4 => Self::DeadlineExceeded,
            5 => Self::NotFound,
            6 => Self::AlreadyExists,
            7 => Self::PermissionDenied,
            8 => Self::ResourceExhausted,
            9 => Self::FailedPrecondition,
            10 => Self::Aborted,
            11 => Self::OutOfRange,
            12 => Self::Unimplemented,
            13 => Self::Internal,
            14 => Self::Unavailable,
            15 => Self::DataLoss,
            16 => Self::Unauthenticated,
            _ => Self::Unknown,
        }
    }

    /// The code that a result stands for: `Ok` is [`Code::Ok`].
    /// ```
    /// use trunkline_core::{Code, Status};
    ///
    /// assert_eq!(Code::of(&Ok::<_, Status>(1)), Code::Ok);
    /// assert_eq!(Code::of(&Err::<(), _>(Status::not_found("no such city"))), Code::NotFound);
    /// ```
    pub fn of<T, S: Borrow<Status>>(result: &Result<T, S>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(status) => status.borrow().code(),
        }
    }

    /// The number that goes on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name as the gRPC documents spell it: `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// What an HTTP answer without a gRPC status means.
    ///
    /// A 200 gives `Unknown` too: it is a failure because the status is missing.
    /// Source: gRPC "HTTP to gRPC Status Code Mapping".
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// What an HTTP/2 RST_STREAM (or GOAWAY) with this error code means.
    ///
    /// Source: gRPC over HTTP/2, "HTTP2 Transport Mapping, Errors".
    pub const fn from_reset_reason(reason: u32) -> Self {
        match reason {
            0x7 => Self::Unavailable,       // REFUSED_STREAM
            0x8 => Self::Cancelled,         // CANCEL
            0xb => Self::ResourceExhausted, // ENHANCE_YOUR_CALM
            0xc => Self::PermissionDenied,  // INADEQUATE_SECURITY
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_and_back() {
        for number in 0..=16 {
            assert_eq!(Code::from_number(number).number(), number);
        }
        for number in [17, 99, u32::MAX] {
            assert_eq!(Code::from_number(number), Code::Unknown);
        }
    }

    #[test]
    fn names_follow_the_variants() {
        for number in 0..=16 {
            let code = Code::from_number(number);
            let plain = code.name().replace('_', "").to_lowercase();
            assert_eq!(plain, format!("{code:?}").to_lowercase());
            assert_eq!(code.to_string(), code.name());
        }
    }

    #[test]
    fn http_statuses() {
        for (status, code) in [
            (200, Code::Unknown),
            (302, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (405, Code::Unknown),
            (415, Code::Unknown),
            (429, Code::Unavailable),
            (431, Code::Unknown),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (0, Code::Unknown),
            (u16::MAX, Code::Unknown),
        ] {
            assert_eq!(Code::from_http_status(status), code, "HTTP {status}");
        }
    }

    /// Source: gRPC "Status codes and their use in gRPC": these are never made by a library.
    #[test]
    fn nothing_is_mapped_to_a_code_of_applications() {
        let reserved = [3, 5, 6, 9, 10, 11, 15];
        let http = (0..=u16::MAX).map(Code::from_http_status);
        let resets = (0..=20).chain([u32::MAX]).map(Code::from_reset_reason);
        for code in http.chain(resets) {
            assert!(!reserved.contains(&code.number()), "{code}");
            assert_ne!(code, Code::Ok);
        }
    }

    #[test]
    fn reset_reasons() {
        for reason in (0..=14).chain([u32::MAX]) {
            let expected = match reason {
                7 => Code::Unavailable,
                8 => Code::Cancelled,
                11 => Code::ResourceExhausted,
                12 => Code::PermissionDenied,
                _ => Code::Internal,
            };
            assert_eq!(Code::from_reset_reason(reason), expected, "reason {reason}");
        }
    }
}
