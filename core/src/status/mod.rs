//! How an RPC failed.

mod attempt;
mod convert;
#[cfg(feature = "prost")]
pub mod details;
mod layer;
mod percent;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;

use crate::code::Code;
use crate::metadata::Metadata;

pub use attempt::Attempt;
pub use convert::OrStatus;

/// Who produced a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The other side sent it.
    Peer,
    /// The connection or the protocol failed.
    Transport,
    /// This process decided it.
    Local,
}

/// What was being done when an RPC failed. Its `Display` is the lower-case name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up addresses.
    Resolve,
    /// Opening a connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The HTTP/2 handshake, or HTTP/2 itself.
    Http2,
    /// Choosing a connection.
    Pick,
    /// Sending the head of the request.
    Request,
    /// Reading the head or the end of the response.
    Response,
    /// Sending or reading a message.
    Message,
    /// Running the handler.
    Handler,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Pick => "pick",
            Self::Request => "request",
            Self::Response => "response",
            Self::Message => "message",
            Self::Handler => "handler",
        })
    }
}

/// The error of an RPC: a code, a text for people, and what else is known. Never OK.
///
/// It is one pointer wide. `Display` gives `CODE: /method: stage: message`, leaving out what is
/// not known, and ` (from the server)` behind what a server answered: everything else was found out
/// on this side. `Debug`, which is what a failing `main` and `unwrap` print, is the same line with
/// the rest of what is known in braces. `source` gives the cause if there is one in this process.
/// ```
/// use trunkline_core::{Code, Origin, Status};
///
/// let status = Status::not_found("no feature at 0,0").context("get_feature");
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!(status.to_string(), "NOT_FOUND: get_feature: no feature at 0,0");
///
/// let answer = status.with_origin(Origin::Peer).with_details(vec![8, 5]);
/// assert_eq!(
///     format!("{answer:?}"),
///     "NOT_FOUND: get_feature: no feature at 0,0 (from the server) { details: 2 bytes }"
/// );
/// ```
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    origin: Origin,
    stage: Option<Stage>,
    unprocessed: bool,
    message: Cow<'static, str>,
    details: Bytes,
    metadata: Metadata,
    method: Option<&'static str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    attempts: Vec<Attempt>,
}

impl Status {
    /// A status with this code and text, made in this process.
    ///
    /// [`Code::Ok`] is no error: it becomes `INTERNAL`, and the text says so.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let (code, message) = match code {
            Code::Ok => {
                let text = format!("code OK used for an error: {message}");
                (Code::Internal, Cow::Owned(text))
            }
            code => (code, message),
        };
        Self(Box::new(Inner {
            code,
            origin: Origin::Local,
            stage: None,
            unprocessed: false,
            message,
            details: Bytes::new(),
            metadata: Metadata::new(),
            method: None,
            source: None,
            attempts: Vec::new(),
        }))
    }

    /// The code, never [`Code::Ok`].
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Machine-readable details as they travel: usually an encoded `google.rpc.Status`, or empty.
    pub fn details(&self) -> &[u8] {
        &self.0.details
    }

    /// Metadata that came, or goes, with the status.
    ///
    /// A call with a single response that fails has no other place for what the server said: its
    /// trailers, and behind them the headers of its response, if there were any.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The metadata, to change it.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.0.metadata
    }

    /// Who produced it.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// What was being done, if known.
    pub fn stage(&self) -> Option<Stage> {
        self.0.stage
    }

    /// Whether the server surely did not act on the call, so that repeating it is safe.
    ///
    /// Together with [`origin`](Self::origin) it tells failures of the same code apart. A refused
    /// connection is `Transport` and unprocessed; a proxy's 503 is `Transport` too, but nobody
    /// knows what happened behind it; what the server itself said is `Peer`.
    pub fn is_unprocessed(&self) -> bool {
        self.0.unprocessed
    }

    /// What was tried before, oldest first: each address that could not be reached, or each try of
    /// a call that was repeated, with its own cause. Empty where one try was all.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The path of the method, if known: `/helloworld.Greeter/SayHello`.
    pub fn method(&self) -> Option<&'static str> {
        self.0.method
    }

    /// The same status with these details.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Self {
        self.0.details = details.into();
        self
    }

    /// The same status with this metadata in place of what it had.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// The same status from this origin.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.0.origin = origin;
        self
    }

    /// The same status at this stage.
    #[must_use]
    pub fn with_stage(mut self, stage: Stage) -> Self {
        self.0.stage = Some(stage);
        self
    }

    /// The same status, saying whether the server surely did not act on the call.
    #[must_use]
    pub fn with_unprocessed(mut self, unprocessed: bool) -> Self {
        self.0.unprocessed = unprocessed;
        self
    }

    /// The same status of this method.
    #[must_use]
    pub fn with_method(mut self, path: &'static str) -> Self {
        self.0.method = Some(path);
        self
    }

    /// The same status with its cause: any error, also an `Arc` or a box of one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// The same status with what was tried before, in place of what it had.
    #[must_use]
    pub fn with_attempts(mut self, attempts: impl IntoIterator<Item = Attempt>) -> Self {
        self.0.attempts = attempts.into_iter().collect();
        self
    }

    /// The same status with `context: ` in front of its text.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        let text = Cow::Owned(format!("{context}: {}", self.0.message));
        let old = std::mem::replace(&mut self.0.message, text);
        self.sync_details(&old);
        self
    }
}

#[cfg(not(feature = "prost"))]
impl Status {
    /// Without protobuf the details are only bytes.
    const fn sync_details(&self, _old: &str) {}
}

macro_rules! constructors {
    ($($name:ident $code:ident $text:literal;)*) => {
        /// One constructor per code; [`Code`] says when to use which.
        impl Status {
            $(
                #[doc = concat!("`", $text, "` with this text.")]
                pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                    Self::new(Code::$code, message)
                }
            )*
        }
    };
}

constructors! {
    cancelled Cancelled "CANCELLED";
    unknown Unknown "UNKNOWN";
    invalid_argument InvalidArgument "INVALID_ARGUMENT";
    deadline_exceeded DeadlineExceeded "DEADLINE_EXCEEDED";
    not_found NotFound "NOT_FOUND";
    already_exists AlreadyExists "ALREADY_EXISTS";
    permission_denied PermissionDenied "PERMISSION_DENIED";
    resource_exhausted ResourceExhausted "RESOURCE_EXHAUSTED";
    failed_precondition FailedPrecondition "FAILED_PRECONDITION";
    aborted Aborted "ABORTED";
    out_of_range OutOfRange "OUT_OF_RANGE";
    unimplemented Unimplemented "UNIMPLEMENTED";
    internal Internal "INTERNAL";
    unavailable Unavailable "UNAVAILABLE";
    data_loss DataLoss "DATA_LOSS";
    unauthenticated Unauthenticated "UNAUTHENTICATED";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.name())?;
        if let Some(method) = self.0.method {
            write!(f, ": {method}")?;
        }
        if let Some(stage) = self.0.stage {
            write!(f, ": {stage}")?;
        }
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        if self.0.origin == Origin::Peer {
            f.write_str(" (from the server)")?;
        }
        Ok(())
    }
}

/// One line, whatever the message holds: the one of `Display`, then what else is known.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(OneLine(f), "{self}")?;
        let mut separator = " { ";
        let mut next = || std::mem::replace(&mut separator, ", ");
        if inner.unprocessed {
            write!(f, "{}unprocessed", next())?;
        }
        if !inner.details.is_empty() {
            write!(f, "{}details: {} bytes", next(), inner.details.len())?;
        }
        if !inner.metadata.is_empty() {
            write!(f, "{}metadata: ", next())?;
            write!(OneLine(f), "{:?}", inner.metadata)?;
        }
        if !inner.attempts.is_empty() {
            write!(f, "{}attempts: {}", next(), inner.attempts.len())?;
        }
        if let Some(source) = &inner.source {
            write!(f, "{}source: ", next())?;
            write!(OneLine(f), "{source:?}")?;
        }
        f.write_str(if separator == ", " { " }" } else { "" })
    }
}

/// Escapes what would break a line or play with a terminal.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, control) in text.match_indices(char::is_control) {
            self.0.write_str(text.get(plain..at).unwrap_or_default())?;
            write!(self.0, "{}", control.escape_default())?;
            plain = at + control.len();
        }
        self.0.write_str(text.get(plain..).unwrap_or_default())
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
