//! Services as the emitters see them: names settled, comments safe, no prost types.

use std::fmt;

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    /// The module with the names that generated code uses: `::trunkline::codegen`.
    pub(crate) runtime: String,
    pub(crate) attributes: Attributes,
    /// `helloworld.Greeter`, as on the wire.
    pub(crate) full_name: String,
    pub(crate) names: ServiceNames,
    /// The constant that server reflection asks for; `None` if the server has nothing to tell.
    pub(crate) described: Option<String>,
    /// Lines of documentation, may be empty.
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) methods: Vec<Method>,
}

/// What the caller puts on a service's items.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) handler: Vec<String>,
    pub(crate) client: Vec<String>,
    pub(crate) server: Vec<String>,
}

/// The Rust names that one service brings into its package's module.
#[derive(Clone, Debug)]
pub(crate) struct ServiceNames {
    /// `Greeter`.
    pub(crate) handler: String,
    /// `greeter`, the module of markers.
    pub(crate) module: String,
    /// `GreeterClient`.
    pub(crate) client: String,
    /// `GreeterServer`.
    pub(crate) server: String,
}

/// One method.
#[derive(Debug)]
pub(crate) struct Method {
    /// `SayHello`, as on the wire.
    pub(crate) wire_name: String,
    /// `say_hello`.
    pub(crate) name: String,
    /// `SayHello`, the marker type.
    pub(crate) marker: String,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) shape: Shape,
    pub(crate) idempotency: Idempotency,
    pub(crate) request: TypePath,
    pub(crate) response: TypePath,
}

/// Which side sends a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Unary,
    ClientStreaming,
    ServerStreaming,
    Bidi,
}

impl Shape {
    /// The variant of the runtime's `Shape`, which is also the client's name for the kind of call.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Unary => "Unary",
            Self::ClientStreaming => "ClientStreaming",
            Self::ServerStreaming => "ServerStreaming",
            Self::Bidi => "Bidi",
        }
    }

    /// The word that starts a line of documentation.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Unary => "Unary",
            Self::ClientStreaming => "Client-streaming",
            Self::ServerStreaming => "Server-streaming",
            Self::Bidi => "Bidirectional",
        }
    }
}

/// What the `idempotency_level` option says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idempotency {
    Unknown,
    NoSideEffects,
    Idempotent,
}

/// A Rust type as seen from the package's module.
#[derive(Clone, Debug)]
pub(crate) struct TypePath(pub(crate) String);

impl TypePath {
    /// The same type as seen from a module directly inside.
    pub(crate) fn one_module_down(&self) -> String {
        let path = self.0.as_str();
        let here = !path.contains("::") && path.starts_with(|c: char| c.is_ascii_lowercase());
        if path.starts_with("::") || path.starts_with("crate::") || path.starts_with('(') || here {
            path.to_owned()
        } else {
            format!("super::{path}")
        }
    }
}

impl fmt::Display for TypePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Service {
    /// `/helloworld.Greeter/SayHello`.
    pub(crate) fn path_of(&self, method: &Method) -> String {
        format!("/{}/{}", self.full_name, method.wire_name)
    }

    /// A method's documentation: its comment, then a line that says what travels, and where.
    pub(crate) fn docs_of(&self, method: &Method) -> Vec<String> {
        let kind = method.shape.title();
        let line = format!("{kind} RPC `{}`.", self.path_of(method));
        with_line(&method.docs, line)
    }

    /// Documentation of one of the service's types: the service's comment, then `line`.
    pub(crate) fn docs_with(&self, line: String) -> Vec<String> {
        with_line(&self.docs, line)
    }

    /// The `deprecated` attribute with its reason.
    pub(crate) fn deprecation(&self) -> String {
        format!(
            "#[deprecated(note = \"marked deprecated in `{}`\")]",
            self.full_name
        )
    }
}

fn with_line(docs: &[String], line: String) -> Vec<String> {
    let mut all = docs.to_vec();
    if !all.is_empty() {
        all.push(String::new());
    }
    all.push(line);
    all
}

#[cfg(test)]
mod tests {
    use super::TypePath;

    #[test]
    fn a_path_one_module_down_a_module_goes_up_once() {
        for (here, inside) in [
            ("Point", "super::Point"),
            ("point::Inner", "super::point::Inner"),
            ("super::other::Point", "super::super::other::Point"),
            ("::prost_types::Timestamp", "::prost_types::Timestamp"),
            ("crate::Point", "crate::Point"),
            ("()", "()"),
            ("bool", "bool"),
        ] {
            assert_eq!(TypePath(here.to_owned()).one_module_down(), inside);
        }
    }
}
