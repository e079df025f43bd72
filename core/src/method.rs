//! What an RPC is called and how many messages go each way.

use std::fmt;

use crate::codec::{Codec, Decoder, Encoder};

/// How many messages a method takes and gives. Its `Display` is the name in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One request, one response.
    Unary,
    /// Many requests, one response.
    ClientStreaming,
    /// One request, many responses.
    ServerStreaming,
    /// Many requests, many responses, in any interleaving.
    Bidi,
}

impl Shape {
    /// The name in the words of the gRPC documents: `server streaming`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ClientStreaming => "client streaming",
            Self::ServerStreaming => "server streaming",
            Self::Bidi => "bidirectional",
        }
    }

    /// Whether the client may send more or fewer than one message.
    pub const fn client_streams(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidi)
    }

    /// Whether the server may send more or fewer than one message.
    pub const fn server_streams(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidi)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the author of the `.proto` promises about calling a method twice.
///
/// Source: `google.protobuf.MethodOptions.IdempotencyLevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Nothing is promised.
    #[default]
    Unknown,
    /// The call changes nothing.
    NoSideEffects,
    /// Calling twice has the effect of calling once.
    Idempotent,
}

/// One method of a service: its names, its path on the wire and its shape.
///
/// Generated code makes one `static` per method; see [`Method`]. Its `Display` is the path, as in
/// the text of a [`Status`](crate::Status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MethodDescriptor {
    /// Full name of the service: `helloworld.Greeter`.
    pub service: &'static str,
    /// Name of the method as the `.proto` spells it: `SayHello`.
    pub name: &'static str,
    /// The `:path` of its requests: `/helloworld.Greeter/SayHello`.
    pub path: &'static str,
    /// How many messages go each way.
    pub shape: Shape,
    /// What calling it twice does.
    pub idempotency: Idempotency,
}

impl MethodDescriptor {
    /// Describes a method of which no idempotency is known.
    ///
    /// `path` must be `/<service>/<name>`; it is a parameter because it has to be `'static`.
    pub const fn new(
        service: &'static str,
        name: &'static str,
        path: &'static str,
        shape: Shape,
    ) -> Self {
        Self {
            service,
            name,
            path,
            shape,
            idempotency: Idempotency::Unknown,
        }
    }

    /// The same method with this promise about repeated calls.
    #[must_use]
    pub const fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }
}

impl fmt::Display for MethodDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.path)
    }
}

/// A service: its name and its methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServiceDescriptor {
    /// Full name: `helloworld.Greeter`.
    pub name: &'static str,
    /// Its methods, in the order of the `.proto`.
    pub methods: &'static [&'static MethodDescriptor],
}

impl ServiceDescriptor {
    /// Describes a service.
    pub const fn new(name: &'static str, methods: &'static [&'static MethodDescriptor]) -> Self {
        Self { name, methods }
    }
}

/// An RPC as a type: ties the message types, the codec and the descriptor together.
///
/// Generated code makes one zero-sized type per method; a hand-written one works as well:
/// ```
/// use bytes::Bytes;
/// use trunkline_core::{Method, MethodDescriptor, RawCodec, Shape};
///
/// struct Echo;
/// impl Method for Echo {
///     type Request = Bytes;
///     type Response = Bytes;
///     type Codec = RawCodec;
///     const DESCRIPTOR: &'static MethodDescriptor =
///         &MethodDescriptor::new("demo.Echo", "Echo", "/demo.Echo/Echo", Shape::Unary);
/// }
/// assert_eq!(Echo::DESCRIPTOR.path, "/demo.Echo/Echo");
/// ```
pub trait Method: Send + Sync + 'static {
    /// What the client sends.
    type Request: Send + Sync + 'static;
    /// What the server sends.
    type Response: Send + Sync + 'static;
    /// How both are written and read.
    type Codec: Codec
        + Encoder<Self::Request>
        + Decoder<Self::Request>
        + Encoder<Self::Response>
        + Decoder<Self::Response>;
    /// Names, path and shape.
    const DESCRIPTOR: &'static MethodDescriptor;
}

#[cfg(test)]
mod tests {
    use super::{MethodDescriptor, Shape};

    #[test]
    fn names_can_be_printed_in_columns() {
        let shapes = [
            Shape::Unary,
            Shape::ClientStreaming,
            Shape::ServerStreaming,
            Shape::Bidi,
        ];
        assert_eq!(
            shapes.map(|shape| shape.to_string()),
            [
                "unary",
                "client streaming",
                "server streaming",
                "bidirectional"
            ]
        );
        let method = MethodDescriptor::new("a.B", "C", "/a.B/C", Shape::Unary);
        assert_eq!(
            format!("{method:<8}{:>7}|", method.shape),
            "/a.B/C    unary|"
        );
    }
}
