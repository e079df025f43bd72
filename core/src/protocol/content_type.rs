//! Which content types are gRPC, and which codec they name.

use http::HeaderValue;

use super::{CONTENT_TYPE, values};

/// What a `content-type` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// It is gRPC.
    Grpc {
        /// The `x` of `application/grpc+x`.
        subtype: Option<Subtype>,
    },
    /// It is anything else, `application/grpc-web` among it.
    Other,
}

impl ContentType {
    /// Reads the field's value, case-insensitively; parameters after a `;` are let pass.
    pub fn parse(value: &[u8]) -> Self {
        // As nearly everybody writes it.
        if value == CONTENT_TYPE.as_bytes() {
            return Self::Grpc { subtype: None };
        }
        let essence = match value.split(|b| *b == b';').next() {
            Some(essence) => essence.trim_ascii(),
            None => value,
        };
        let Some((base, rest)) = essence.split_at_checked(CONTENT_TYPE.len()) else {
            return Self::Other;
        };
        if !base.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()) {
            return Self::Other;
        }
        match rest {
            [] => Self::Grpc { subtype: None },
            [b'+', subtype @ ..] => match Subtype::parse(subtype) {
                None => Self::Other,
                subtype => Self::Grpc { subtype },
            },
            _ => Self::Other,
        }
    }
}

/// The name of a codec in a content type, in lower case. The usual ones allocate nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtype(Name);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Proto,
    Json,
    Other(Box<str>),
}

impl Subtype {
    /// The name, without the `+`.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Proto => "proto",
            Name::Json => "json",
            Name::Other(name) => name,
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"proto") {
            return Some(Self(Name::Proto));
        }
        if name.eq_ignore_ascii_case(b"json") {
            return Some(Self(Name::Json));
        }
        let name = std::str::from_utf8(name).ok()?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        Some(Self(Name::Other(name.to_ascii_lowercase().into())))
    }
}

/// The content type for a codec's subtype; a subtype that no field can carry is left out.
pub(super) fn value(subtype: &'static str) -> HeaderValue {
    match subtype {
        "" | "proto" => values::APPLICATION_GRPC,
        "json" => values::APPLICATION_GRPC_JSON,
        other => HeaderValue::try_from(format!("{CONTENT_TYPE}+{other}"))
            .unwrap_or(values::APPLICATION_GRPC),
    }
}

#[cfg(test)]
mod tests {
    use super::{ContentType, value};

    #[test]
    fn table() {
        let plain = Some(None);
        for (text, expected) in [
            ("application/grpc", plain),
            ("Application/GRPC", plain),
            ("application/grpc;charset=utf-8", plain),
            ("application/grpc ; x=+y", plain),
            ("application/grpc+proto", Some(Some("proto"))),
            ("application/grpc+PROTO;a=b", Some(Some("proto"))),
            ("application/grpc+json", Some(Some("json"))),
            ("application/grpc+Foo.Bar", Some(Some("foo.bar"))),
            ("application/grpc+", None),
            ("application/grpc+ proto", None),
            ("application/grpc-web", None),
            ("application/grpc-web+proto", None),
            ("application/grpcx", None),
            ("application/grp", None),
            ("application/json", None),
            ("text/html", None),
            ("", None),
            (";", None),
        ] {
            let parsed = match ContentType::parse(text.as_bytes()) {
                ContentType::Grpc { subtype } => Some(subtype),
                ContentType::Other => None,
            };
            let parsed = parsed.as_ref().map(|s| s.as_ref().map(|s| s.as_str()));
            assert_eq!(parsed, expected, "{text:?}");
        }
        assert_eq!(
            ContentType::parse(b"application/grpc+\xff"),
            ContentType::Other
        );
    }

    #[test]
    fn written_as_peers_expect() {
        for (subtype, expected) in [
            ("", "application/grpc"),
            ("proto", "application/grpc"),
            ("json", "application/grpc+json"),
            ("thrift", "application/grpc+thrift"),
            ("bad\nname", "application/grpc"),
        ] {
            assert_eq!(value(subtype), expected);
        }
    }
}
