//! Why a text names no proxy.

use std::fmt;

/// Why a text is no proxy; it names the fault and shows no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy speaks something else than plain HTTP.
    Scheme {
        /// The scheme of the URL.
        scheme: String,
    },
    /// The URL has no host and port where they should be.
    Place {
        /// The part that should be host and port.
        place: String,
    },
    /// An environment variable holds no proxy.
    Variable {
        /// Its name.
        name: &'static str,
        /// What is wrong with its value.
        fault: Box<Self>,
    },
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme { scheme } => write!(
                f,
                "a proxy with the scheme {scheme:?} is not supported; write http://host:port"
            ),
            Self::Place { place } => write!(
                f,
                "the proxy {place:?} is not a host, or a host and a port from 1 to 65535"
            ),
            Self::Variable { name, fault } => write!(
                f,
                "the environment variable {name}: {fault}; .no_proxy() on the builder ignores it"
            ),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Variable { fault, .. } => Some(fault),
            Self::Scheme { .. } | Self::Place { .. } => None,
        }
    }
}
