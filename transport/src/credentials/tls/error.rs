//! Why TLS cannot be set up; nothing here happens during a handshake.

use std::fmt;
use std::path::PathBuf;

use trunkline_core::Status;

/// Why certificates, keys or settings of TLS cannot be used; the text names the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// What should be PEM is not.
    Pem {
        /// What the parser met.
        text: String,
    },
    /// No certificate in what should hold some.
    NoCertificate,
    /// No private key in what should hold one.
    NoKey,
    /// A certificate that is none.
    Certificate {
        /// What is wrong with it.
        text: String,
    },
    /// A private key that is none, or of a kind that is not supported.
    Key {
        /// What is wrong with it.
        text: String,
    },
    /// The private key does not belong to the first certificate of the chain.
    KeyMismatch,
    /// The platform's roots cannot be read, or there are none.
    PlatformRoots {
        /// What the platform says.
        text: String,
    },
    /// What should be a server's name is neither a DNS name nor an IP address.
    ServerName {
        /// The text as given.
        text: String,
    },
    /// Something is wrong with what a file holds.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<Self>,
    },
    /// A file cannot be read, or is larger than a certificate file could be (1 MiB).
    Unreadable {
        /// What the system says.
        text: String,
    },
    /// A rustls configuration of yours speaks protocols by ALPN, and `h2` is not among them.
    NoH2,
    /// rustls refuses the settings.
    Settings {
        /// What rustls says.
        text: String,
    },
}

impl TlsError {
    /// The same, of this file.
    pub(super) fn of(self, path: &std::path::Path) -> Self {
        Self::File {
            path: path.to_owned(),
            error: Box::new(self),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { text } => write!(f, "this is not PEM: {text}"),
            Self::NoCertificate => {
                f.write_str("there is no certificate in it (PEM with BEGIN CERTIFICATE, or DER)")
            }
            Self::NoKey => f.write_str(
                "there is no private key in it (PKCS#8, PKCS#1 or SEC1; encrypted keys are not read)",
            ),
            Self::Certificate { text } => write!(f, "a certificate cannot be used: {text}"),
            Self::Key { text } => write!(f, "the private key cannot be used: {text}"),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the first certificate of the chain",
            ),
            Self::PlatformRoots { text } => {
                write!(f, "the platform's root certificates cannot be used: {text}")
            }
            Self::ServerName { text } => {
                write!(f, "{text:?} is neither a DNS name nor an IP address")
            }
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Unreadable { text } => write!(f, "it cannot be read: {text}"),
            Self::NoH2 => f.write_str(
                "the rustls configuration names protocols for ALPN, but not h2: gRPC needs it",
            ),
            Self::Settings { text } => write!(f, "rustls refuses the settings: {text}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// For functions that set TLS up and call, and return `Status`.
impl From<TlsError> for Status {
    fn from(error: TlsError) -> Self {
        Self::internal(format!("TLS cannot be set up: {error}"))
            .with_unprocessed(true)
            .with_source(error)
    }
}
