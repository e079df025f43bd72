//! What is known about a connection's security once its handshake is over.

use std::fmt;
use std::sync::Arc;

/// What a connection is protected against. Ordered: a later one includes the earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SecurityLevel {
    /// Nothing: anybody on the way reads and changes what is sent.
    #[default]
    None,
    /// What is sent cannot be changed unnoticed, but it can be read.
    Integrity,
    /// What is sent can neither be read nor changed unnoticed: TLS, or a path that no one else is
    /// on.
    PrivacyAndIntegrity,
}

/// What a handshake has shown about a connection. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Security {
    level: SecurityLevel,
    tls: Option<Arc<TlsInfo>>,
}

impl Security {
    /// That of plaintext.
    pub const NONE: Self = Self::new(SecurityLevel::None);

    /// A connection of this level, without TLS.
    #[must_use]
    pub const fn new(level: SecurityLevel) -> Self {
        Self { level, tls: None }
    }

    /// A connection over TLS, with privacy and integrity.
    #[must_use]
    pub fn with_tls(info: TlsInfo) -> Self {
        Self {
            level: SecurityLevel::PrivacyAndIntegrity,
            tls: Some(Arc::new(info)),
        }
    }

    /// What the connection is protected against.
    #[must_use]
    pub const fn level(&self) -> SecurityLevel {
        self.level
    }

    /// What TLS has agreed on; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }
}

/// What a TLS handshake has agreed on, and who the peer has proven to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version, if known.
    pub version: Option<TlsVersion>,
    /// The name of the cipher suite, as IANA registers it, if known.
    pub cipher_suite: Option<String>,
    /// The application protocol that ALPN agreed on, in practice `h2`; `None` if none was.
    pub alpn: Option<String>,
    /// The server's name as the client asked for it (SNI); `None` for an IP address.
    pub server_name: Option<String>,
    /// The peer's certificates, verified, its own first. Shape: DER, one X.509 certificate each.
    /// Empty on a server whose client showed none.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Whether an earlier session was taken up again, which saves a round of certificates.
    pub resumed: bool,
}

/// A version of TLS. Ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "TLS 1.2",
            Self::V1_3 => "TLS 1.3",
        })
    }
}
