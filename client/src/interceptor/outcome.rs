//! How a call ended, for those who look at it before the caller does.

use std::fmt;

use trunkline_core::{Code, Metadata, Response, Status};

use crate::call::{AttemptEnd, CallEnd};
use crate::exclusive::Exclusive;

/// How a call ended: its status, and the metadata around its messages.
///
/// Whoever sees it in [`ClientStream::on_end`](super::ClientStream::on_end) may change it; the
/// caller gets what is left. Headers that a caller has read already it has read.
#[derive(Clone, Debug)]
pub struct Outcome {
    status: Result<(), Status>,
    headers: Metadata,
    trailers: Metadata,
}

impl Outcome {
    pub(crate) const fn new(
        status: Result<(), Status>,
        headers: Metadata,
        trailers: Metadata,
    ) -> Self {
        Self {
            status,
            headers,
            trailers,
        }
    }

    /// A call that its caller gave up.
    pub(crate) fn dropped(path: &'static str) -> Self {
        let why = Status::cancelled("the call was dropped before its end").with_method(path);
        Self::new(Err(why), Metadata::new(), Metadata::new())
    }

    pub(crate) fn into_parts(self) -> (Result<(), Status>, Metadata, Metadata) {
        (self.status, self.headers, self.trailers)
    }

    /// What the caller of a call with one response gets.
    pub(crate) fn into_response<T>(self, message: Option<T>) -> Result<Response<T>, Status> {
        if let Err(mut why) = self.status {
            why.metadata_mut().extend(self.headers);
            return Err(why);
        }
        let message = message.ok_or_else(|| {
            Status::internal("an interceptor made OK of a call that has no response message")
        })?;
        Ok(Response::from_parts(self.headers, message, self.trailers))
    }

    /// The code: [`Code::Ok`], or the status's.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::of(&self.status)
    }

    /// OK, or the error.
    pub const fn status(&self) -> Result<(), &Status> {
        match &self.status {
            Ok(()) => Ok(()),
            Err(status) => Err(status),
        }
    }

    /// Makes the call end like this instead.
    ///
    /// An error takes the place of a response that was there. OK takes the place of an error for a
    /// caller that streams its responses; one that waits for a single response needs its message,
    /// and without it the error is INTERNAL.
    pub fn set_status(&mut self, status: Result<(), Status>) {
        self.status = status;
    }

    /// The response headers; empty if there were none.
    #[must_use]
    pub const fn headers(&self) -> &Metadata {
        &self.headers
    }

    /// The response headers, to change them.
    pub const fn headers_mut(&mut self) -> &mut Metadata {
        &mut self.headers
    }

    /// The trailers; those of an error are the metadata of its status.
    #[must_use]
    pub fn trailers(&self) -> &Metadata {
        match &self.status {
            Ok(()) => &self.trailers,
            Err(status) => status.metadata(),
        }
    }

    /// The trailers, to change them.
    pub fn trailers_mut(&mut self) -> &mut Metadata {
        match &mut self.status {
            Ok(()) => &mut self.trailers,
            Err(status) => status.metadata_mut(),
        }
    }
}

/// Who wants to see the end of a call.
pub(crate) type OnEnd = Box<dyn FnOnce(&mut Outcome) + Send>;

/// All who want to see the end of one call, innermost first. Each is told once: also if the call
/// is dropped before its end.
pub(crate) struct Ends {
    path: &'static str,
    /// The attempt that those who measure know.
    pub(crate) attempt: Option<AttemptEnd>,
    list: Exclusive<Vec<OnEnd>>,
    /// The call that they know. Dropped last, as it began first.
    pub(crate) call: Option<CallEnd>,
}

impl Ends {
    pub(crate) const fn new(path: &'static str) -> Self {
        Self {
            path,
            attempt: None,
            list: Exclusive::new(Vec::new()),
            call: None,
        }
    }

    pub(crate) fn push(&mut self, end: OnEnd) {
        self.list.get().push(end);
    }

    /// Tells all who are there, and have not been told.
    pub(crate) fn tell(&mut self, outcome: &mut Outcome) {
        for end in std::mem::take(self.list.get()) {
            end(outcome);
        }
    }
}

impl Ends {
    pub(crate) fn attempt_ended(&mut self, outcome: Result<(), &Status>) {
        if let Some(attempt) = self.attempt.take() {
            attempt.tell(outcome);
        }
    }

    pub(crate) fn call_ended(&mut self, outcome: Result<(), &Status>) {
        if let Some(call) = self.call.take() {
            call.tell(outcome);
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.attempt.take());
        if !self.list.get().is_empty() {
            self.tell(&mut Outcome::dropped(self.path));
        }
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ends")
    }
}
