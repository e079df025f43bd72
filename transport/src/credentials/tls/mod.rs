//! TLS by rustls on ring, for both sides.
//!
//! A channel takes [`ClientTls`] and a server [`ServerTls`] as its credentials. What they are made
//! of are an [`Identity`], a certificate with its key, and [`Roots`], whose signatures are trusted.
//! Both may come from files, which are read again when they have changed.
//!
//! ```
//! use trunkline_transport::credentials::TransportCredentials;
//! use trunkline_transport::credentials::tls::{ClientTls, Identity, Roots, ServerTls};
//! use trunkline_transport::memory;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A certificate that signs itself, for tests; usually these are PEM files.
//! let made = rcgen::generate_simple_self_signed(["greeter".to_owned()])?;
//! let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
//!
//! let server = ServerTls::new(Identity::from_pem(&pem, key)?)?;
//! let client = ClientTls::builder().roots(Roots::from_pem(pem)?).build()?;
//!
//! // What a channel and a server do with them:
//! let (near, far) = memory::pipe();
//! let (near, far) = tokio::join!(
//!     client.client_handshake(near, "greeter:443"),
//!     server.server_handshake(far),
//! );
//! let (near, far) = (near?.security, far?.security);
//! assert_eq!(near.tls().and_then(|tls| tls.alpn.as_deref()), Some("h2"));
//! assert_eq!(far.tls().and_then(|tls| tls.server_name.as_deref()), Some("greeter"));
//! # Ok(()) }
//! ```

mod client;
mod error;
mod explain;
mod identity;
mod reload;
mod roots;
mod server;
mod stream;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::{
    self, ALL_VERSIONS, CommonState, HandshakeKind, ProtocolVersion, SupportedProtocolVersion,
};

use super::{TlsInfo, TlsVersion};

pub use client::{ClientTls, ClientTlsBuilder};
pub use error::TlsError;
pub use identity::Identity;
pub use roots::Roots;
pub use server::{ClientCertificates, ServerTls, ServerTlsBuilder};
pub(crate) use stream::TlsIo;

/// The one protocol that gRPC is spoken over, as ALPN names it.
const H2: &[u8] = b"h2";

/// ring, and nothing that is global: two libraries of one process may choose differently.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The versions from `oldest` on.
fn versions(oldest: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    let all = ALL_VERSIONS.iter().copied();
    match oldest {
        TlsVersion::V1_2 => all.collect(),
        TlsVersion::V1_3 => all
            .filter(|each| each.version != ProtocolVersion::TLSv1_2)
            .collect(),
    }
}

/// What a session has agreed on.
fn info(session: &CommonState, server_name: Option<String>) -> TlsInfo {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::V1_2),
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::V1_3),
        _ => None,
    };
    let suite = session.negotiated_cipher_suite();
    let suite = suite.and_then(|suite| Some(suite.suite().as_str()?.replace("TLS13_", "TLS_")));
    let alpn = session.alpn_protocol();
    let certificates = session.peer_certificates().unwrap_or_default();
    TlsInfo {
        version,
        cipher_suite: suite,
        alpn: alpn.map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        server_name,
        peer_certificates: certificates.iter().map(|each| each.to_vec()).collect(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

#[cfg(test)]
mod tests;
