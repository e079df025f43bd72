//! Fields as readers get them, and which of them the protocol reads itself.

use http::{HeaderName, HeaderValue, header};

/// A field of a head: by value, or lent by an engine that gives the same one to many readers. What a
/// reader keeps of a lent one it copies.
pub trait Field {
    /// Its name.
    fn name(&self) -> &HeaderName;

    /// Its value.
    fn value(&self) -> &HeaderValue;

    /// Both, by value.
    fn into_parts(self) -> (HeaderName, HeaderValue);
}

impl Field for (HeaderName, HeaderValue) {
    #[inline]
    fn name(&self) -> &HeaderName {
        &self.0
    }

    #[inline]
    fn value(&self) -> &HeaderValue {
        &self.1
    }

    #[inline]
    fn into_parts(self) -> (HeaderName, HeaderValue) {
        self
    }
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    ContentType,
    UserAgent,
    Timeout,
    Encoding,
    AcceptEncoding,
    Status,
    Message,
    Details,
    /// HTTP reads it.
    Http,
    /// The user's.
    Metadata,
}

impl Purpose {
    /// Of the field of this name.
    #[inline]
    pub(crate) fn of(name: &HeaderName) -> Self {
        // Standard names are told apart by a number.
        if *name == header::CONTENT_TYPE {
            Self::ContentType
        } else if *name == header::TE {
            Self::Http
        } else if *name == header::USER_AGENT {
            Self::UserAgent
        } else {
            Self::of_other(name.as_str())
        }
    }

    fn of_other(name: &str) -> Self {
        let Some(name) = name.strip_prefix("grpc-") else {
            return match name {
                "connection" | "content-length" | "host" | "keep-alive" | "proxy-connection"
                | "transfer-encoding" | "upgrade" => Self::Http,
                _ => Self::Metadata,
            };
        };
        match name {
            "timeout" => Self::Timeout,
            "accept-encoding" => Self::AcceptEncoding,
            "encoding" => Self::Encoding,
            "status" => Self::Status,
            "message" => Self::Message,
            "status-details-bin" => Self::Details,
            _ => Self::Metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_reads_is_no_metadata() {
        for (name, purpose) in [
            ("content-type", Purpose::ContentType),
            ("te", Purpose::Http),
            ("user-agent", Purpose::UserAgent),
            ("grpc-timeout", Purpose::Timeout),
            ("grpc-encoding", Purpose::Encoding),
            ("grpc-accept-encoding", Purpose::AcceptEncoding),
            ("grpc-status", Purpose::Status),
            ("grpc-message", Purpose::Message),
            ("grpc-status-details-bin", Purpose::Details),
            ("connection", Purpose::Http),
            ("content-length", Purpose::Http),
            ("host", Purpose::Http),
            ("keep-alive", Purpose::Http),
            ("proxy-connection", Purpose::Http),
            ("transfer-encoding", Purpose::Http),
            ("upgrade", Purpose::Http),
            ("grpc-", Purpose::Metadata),
            ("grpc-trace-bin", Purpose::Metadata),
            ("timeout", Purpose::Metadata),
            ("authorization", Purpose::Metadata),
        ] {
            assert_eq!(
                Purpose::of(&HeaderName::from_static(name)),
                purpose,
                "{name}"
            );
        }
    }
}
