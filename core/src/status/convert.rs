//! From other errors to statuses: what `?` does in a handler.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;

use super::Status;
use crate::code::Code;
use crate::metadata::MetadataError;

/// All that a client learns of an error that nobody wrote a text for.
const HIDDEN: &str = "internal error";

type BoxError = Box<dyn Error + Send + Sync>;

/// How errors of other kinds become statuses.
///
/// An error's own text was not written for clients: it may name files, addresses, queries, secrets.
/// So an error that becomes a status by `?` is INTERNAL with the text `internal error`, and the
/// error itself its [`source`](Error::source), which never leaves the process; a server logs it.
/// Where more should be told, say so:
/// ```
/// use std::num::ParseIntError;
/// use trunkline_core::{Code, OrStatus, Status};
///
/// // Your own error, once and for all, with texts that are meant for clients:
/// #[derive(Debug)]
/// struct SoldOut { seat: u32 }
///
/// impl From<SoldOut> for Status {
///     fn from(error: SoldOut) -> Self {
///         Status::failed_precondition(format!("seat {} is sold", error.seat))
///     }
/// }
///
/// fn handler(seat: &str) -> Result<u32, Status> {
///     // A code and a text of yours, for the error of somebody else:
///     let seat = seat.parse().or_status(Code::InvalidArgument, "the seat must be a number")?;
///     if seat == 13 {
///         return Err(SoldOut { seat })?;
///     }
///     // An error of the standard library, or one in a box:
///     let config: u32 = std::fs::read_to_string("/no/such/secret/path")?.parse()?;
///     // Of any other library, `anyhow` too:
///     let tax: u32 = "7".parse().or_internal()?;
///     Ok(seat + config + tax)
/// }
///
/// assert_eq!(handler("x").unwrap_err().message(), "the seat must be a number");
/// assert_eq!(handler("13").unwrap_err().code(), Code::FailedPrecondition);
/// let hidden = handler("1").unwrap_err();
/// assert_eq!((hidden.code(), hidden.message()), (Code::Internal, "internal error"));
/// // Its text can be told too, on purpose:
/// assert!(hidden.expose().message().contains("No such file"));
/// ```
impl Status {
    /// INTERNAL with the text `internal error`; the error is kept as the source.
    ///
    /// Takes any error, also a box of one and that of `anyhow`. One that is a status already, in
    /// whatever box, comes out as it is.
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(status) => *status,
            Err(error) => Self::internal(HIDDEN).with_source(error),
        }
    }

    /// The same status with the text of its source, which the other side then reads.
    ///
    /// Only that one error's text: the causes behind it stay here. Without a source it changes
    /// nothing.
    #[must_use]
    pub fn expose(mut self) -> Self {
        if let Some(source) = &self.0.source {
            let text = Cow::Owned(source.to_string());
            let old = std::mem::replace(&mut self.0.message, text);
            self.sync_details(&old);
        }
        self
    }

    /// The status of a call that a handler made, as an answer of its own: code, text, details and
    /// metadata as they are, for whoever is in between on purpose.
    ///
    /// Without it a server passes on the code and names the call, and keeps details, metadata and
    /// addresses to itself.
    #[must_use]
    pub fn forward(mut self) -> Self {
        self.0.origin = super::Origin::Local;
        self.0.method = None;
        self.0.stage = None;
        self.0.unprocessed = false;
        self.0.attempts = Vec::new();
        self
    }
}

/// Gives an error the code that the client shall see. See [`Status::from_error`].
pub trait OrStatus<T>: Sized {
    /// INTERNAL with the text `internal error`: what `?` does where it knows the error's type.
    ///
    /// Errors: the error, as [`Status::from_error`] makes it.
    fn or_internal(self) -> Result<T, Status>;

    /// This code and this text; the error is kept as the source, which stays here.
    ///
    /// Errors: the error, as that status.
    fn or_status(self, code: Code, message: impl Into<Cow<'static, str>>) -> Result<T, Status>;

    /// This code and the error's own text, for errors whose texts are meant for clients.
    ///
    /// Errors: the error, as that status.
    fn or_exposed(self, code: Code) -> Result<T, Status>;
}

impl<T, E: Into<BoxError>> OrStatus<T> for Result<T, E> {
    fn or_internal(self) -> Result<T, Status> {
        self.map_err(Status::from_error)
    }

    fn or_status(self, code: Code, message: impl Into<Cow<'static, str>>) -> Result<T, Status> {
        self.map_err(|error| Status::new(code, message).with_source(error))
    }

    fn or_exposed(self, code: Code) -> Result<T, Status> {
        self.or_status(code, "").map_err(Status::expose)
    }
}

impl From<Infallible> for Status {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// `INTERNAL`: the program tried to send metadata that cannot be sent.
impl From<MetadataError> for Status {
    fn from(error: MetadataError) -> Self {
        Self::internal(error.to_string()).with_source(error)
    }
}

/// What [`Status::from_error`] makes of it.
impl From<BoxError> for Status {
    fn from(error: BoxError) -> Self {
        Self::from_error(error)
    }
}

macro_rules! hidden {
    ($($error:ty)*) => {$(
        /// `INTERNAL` without its text, see [`Status::from_error`].
        impl From<$error> for Status {
            fn from(error: $error) -> Self {
                Self::from_error(error)
            }
        }
    )*};
}

hidden! {
    std::char::ParseCharError
    std::env::VarError
    std::fmt::Error
    std::io::Error
    std::net::AddrParseError
    std::num::ParseFloatError
    std::num::ParseIntError
    std::num::TryFromIntError
    std::str::ParseBoolError
    std::str::Utf8Error
    std::string::FromUtf8Error
    std::time::SystemTimeError
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::{BoxError, OrStatus};
    use crate::status::{Attempt, Origin, Stage};
    use crate::{Code, Metadata, Status};

    const SECRET: &str = "open /etc/secret: denied";

    fn secret() -> io::Error {
        io::Error::other(SECRET)
    }

    /// As `anyhow` has it: no error itself, but it becomes one in a box.
    struct Opaque(io::Error);

    impl From<Opaque> for BoxError {
        fn from(opaque: Opaque) -> Self {
            opaque.0.into()
        }
    }

    fn hides(status: &Status) {
        assert_eq!(
            (status.code(), status.message(), status.origin()),
            (Code::Internal, "internal error", Origin::Local)
        );
        assert_eq!(status.source().unwrap().to_string(), SECRET);
        assert!(!status.to_string().contains("secret"));
    }

    #[test]
    fn errors_of_others_say_nothing() {
        let by_type = || -> Result<(), Status> { Err(secret())? };
        let boxed = || -> Result<(), Status> { Err(BoxError::from(secret()))? };
        let named = || Err::<(), _>(secret()).or_internal();
        let opaque = || Err::<(), _>(Opaque(secret())).or_internal();
        for handler in [by_type, boxed, named, opaque] {
            hides(&handler().unwrap_err());
        }
        let number = || -> Result<u8, Status> { Ok("x".parse::<u8>()?) };
        assert_eq!(number().unwrap_err().message(), "internal error");
    }

    #[test]
    fn a_status_in_a_box_is_itself() {
        let boxed = BoxError::from(Status::not_found("gone"));
        let status = (|| -> Result<(), Status> { Err(boxed)? })().unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
        let status = Err::<(), _>(status).or_internal().unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }

    #[test]
    fn more_is_told_on_purpose() {
        let status = Err::<(), _>(secret()).or_status(Code::Unavailable, "try later");
        let status = status.unwrap_err();
        assert_eq!(status.message(), "try later");
        assert_eq!(status.source().unwrap().to_string(), SECRET);
        let status = Err::<(), _>(secret())
            .or_exposed(Code::DataLoss)
            .unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DataLoss, SECRET));
        assert_eq!(Status::from_error(secret()).expose().message(), SECRET);
        assert_eq!(Status::aborted("own").expose().message(), "own");
    }

    #[test]
    fn a_forwarded_status_is_ones_own_and_whole() {
        let mut metadata = Metadata::new();
        metadata.insert("k", "v").unwrap();
        let status = Status::not_found("gone")
            .with_origin(Origin::Peer)
            .with_method("/a.B/C")
            .with_stage(Stage::Response)
            .with_unprocessed(true)
            .with_details(vec![1])
            .with_metadata(metadata)
            .with_attempts([Attempt::new(Status::aborted("x")).at("host:1")]);
        assert_eq!(status.attempts()[0].to_string(), "host:1: ABORTED: x");
        let own = status.forward();
        assert_eq!(own.to_string(), "NOT_FOUND: gone");
        assert_eq!((own.details(), own.metadata().len()), (&[1][..], 1));
        assert!(!own.is_unprocessed() && own.attempts().is_empty());
    }
}
