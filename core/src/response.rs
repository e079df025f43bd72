//! What a handler gives back and a caller gets: one message with metadata around it.

use std::ops::{Deref, DerefMut};

use crate::metadata::Metadata;

/// One message with the metadata sent before it (headers) and after it (trailers).
///
/// It derefs to the message, so fields read directly:
/// ```
/// use trunkline_core::Response;
///
/// struct Reply { text: &'static str }
/// let reply = Response::new(Reply { text: "hello" });
/// assert_eq!(reply.text, "hello");
/// assert!(reply.trailers().is_empty());
/// ```
/// Methods of its own come before those of the message: where a generated message has a getter
/// `message()`, `headers()` or `trailers()`, as `optional string message` gives it, write
/// `reply.message().message()`.
#[derive(Clone, Debug, Default)]
pub struct Response<T> {
    headers: Metadata,
    message: T,
    trailers: Metadata,
    uncompressed: bool,
}

impl<T> Response<T> {
    /// A response without metadata.
    pub const fn new(message: T) -> Self {
        Self::from_parts(Metadata::new(), message, Metadata::new())
    }

    /// Puts headers, message and trailers together.
    pub const fn from_parts(headers: Metadata, message: T, trailers: Metadata) -> Self {
        Self {
            headers,
            message,
            trailers,
            uncompressed: false,
        }
    }

    /// Sends this response as it is where responses are otherwise compressed: for one that holds a
    /// secret beside what a stranger chose, whose compressed size would tell of the secret (BREACH).
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }

    /// Whether [`uncompressed`](Self::uncompressed) was asked for.
    pub const fn is_uncompressed(&self) -> bool {
        self.uncompressed
    }

    /// Takes it apart into headers, message and trailers.
    pub fn into_parts(self) -> (Metadata, T, Metadata) {
        (self.headers, self.message, self.trailers)
    }

    /// The message.
    pub const fn message(&self) -> &T {
        &self.message
    }

    /// The message, to change it.
    pub const fn message_mut(&mut self) -> &mut T {
        &mut self.message
    }

    /// The message alone; metadata is dropped.
    pub fn into_message(self) -> T {
        self.message
    }

    /// Metadata that goes, or came, before the message.
    pub const fn headers(&self) -> &Metadata {
        &self.headers
    }

    /// The headers, to change them.
    pub const fn headers_mut(&mut self) -> &mut Metadata {
        &mut self.headers
    }

    /// Metadata that goes, or came, after the message.
    pub const fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// The trailers, to change them.
    pub const fn trailers_mut(&mut self) -> &mut Metadata {
        &mut self.trailers
    }

    /// The same metadata around another message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            headers: self.headers,
            message: change(self.message),
            trailers: self.trailers,
            uncompressed: self.uncompressed,
        }
    }
}

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.message
    }
}

impl<T> DerefMut for Response<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.message
    }
}

/// The metadata at the end of an RPC that went well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trailers(Metadata);

impl Trailers {
    /// The metadata itself.
    pub fn into_metadata(self) -> Metadata {
        self.0
    }
}

impl From<Metadata> for Trailers {
    fn from(metadata: Metadata) -> Self {
        Self(metadata)
    }
}

impl Deref for Trailers {
    type Target = Metadata;

    fn deref(&self) -> &Metadata {
        &self.0
    }
}

impl DerefMut for Trailers {
    fn deref_mut(&mut self) -> &mut Metadata {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, Trailers};
    use crate::metadata::Metadata;

    #[test]
    fn map_keeps_metadata() {
        let mut response = Response::new(20);
        response.headers_mut().insert("a", "1").unwrap();
        response.trailers_mut().insert("b", "2").unwrap();
        *response += 1;
        let (headers, message, trailers) = response.map(|n| n * 2).into_parts();
        assert_eq!(headers.get("a"), Some("1"));
        assert_eq!(message, 42);
        assert_eq!(trailers.get("b"), Some("2"));
    }

    #[test]
    fn trailers_are_metadata() {
        let mut trailers = Trailers::from(Metadata::new());
        trailers.insert("k", "v").unwrap();
        assert_eq!(trailers.into_metadata().get("k"), Some("v"));
    }
}
