//! Why a channel cannot be built.

use std::fmt;

use trunkline_core::Status;
use trunkline_transport::ProxyError;

use crate::resolver::TargetError;

/// Why a channel cannot be built; the text names the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelError {
    /// The target string is not one.
    Target(TargetError),
    /// Neither credentials nor the word `insecure` was given.
    NoCredentials,
    /// Both credentials and the word `insecure` were given.
    InsecureCredentials,
    /// A `memory:` target needs the connector of the listener it means.
    NoConnector,
    /// Both a proxy and a connector were given: who of them would connect?
    ProxyAndConnector,
    /// The environment asks for a proxy that is none.
    Proxy(ProxyError),
    /// The text given to [`ChannelBuilder::authority`](super::ChannelBuilder::authority) is no authority.
    Authority {
        /// The text as given.
        text: String,
    },
    /// What was given to [`ChannelBuilder::compression`](super::ChannelBuilder::compression) is not among the channel's compressors.
    Encoding {
        /// The name as given.
        name: String,
    },
    /// The text given to [`ChannelBuilder::user_agent`](super::ChannelBuilder::user_agent) cannot stand in a header.
    UserAgent {
        /// The text as given.
        text: String,
    },
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::NoCredentials => f.write_str(
                "the channel has no credentials: call .credentials(...) on the builder, or .insecure() if plaintext is meant",
            ),
            Self::InsecureCredentials => f.write_str(
                "the channel has credentials and is .insecure() too: leave one of them out",
            ),
            Self::NoConnector => f.write_str(
                "a memory: target needs .connector(...) with the connector of its memory::pair",
            ),
            Self::ProxyAndConnector => f.write_str(
                "the channel has both a proxy and a connector: a ProxyConnector is a connector that goes through a proxy",
            ),
            Self::Proxy(error) => error.fmt(f),
            Self::Authority { text } => write!(f, "{text:?} is no authority (host or host:port)"),
            Self::Encoding { name } => write!(
                f,
                "requests are to be compressed with {name:?}, which is not among the channel's compressors"
            ),
            Self::UserAgent { text } => write!(f, "{text:?} cannot stand in a user-agent header"),
        }
    }
}

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Target(error) => Some(error),
            Self::Proxy(error) => Some(error),
            Self::NoCredentials
            | Self::InsecureCredentials
            | Self::NoConnector
            | Self::ProxyAndConnector
            | Self::Authority { .. }
            | Self::UserAgent { .. }
            | Self::Encoding { .. } => None,
        }
    }
}

impl From<TargetError> for ChannelError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl From<ProxyError> for ChannelError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

/// For functions that build a channel and call over it, and return `Status`.
impl From<ChannelError> for Status {
    fn from(error: ChannelError) -> Self {
        Self::internal(format!("the channel cannot be built: {error}"))
            .with_unprocessed(true)
            .with_source(error)
    }
}
