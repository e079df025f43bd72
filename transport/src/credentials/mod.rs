//! What secures a connection before HTTP/2 begins: one handshake per side.

mod insecure;
mod security;
#[cfg(feature = "tls")]
pub mod tls;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use trunkline_core::Status;

use crate::BoxIo;

pub use insecure::Insecure;
pub use security::{Security, SecurityLevel, TlsInfo, TlsVersion};

/// A handshake under way; made once per connection.
pub type Handshake<'a> = Pin<Box<dyn Future<Output = Result<Secured, Status>> + Send + 'a>>;

/// Secures connections: TLS, or a handshake of your own.
///
/// Both methods get the bare byte stream and return the one to speak HTTP/2 over. Neither has to
/// bound itself in time: the client's `connect_timeout` and the server's `handshake_timeout` do,
/// by dropping the future.
///
/// ```
/// use trunkline_core::Status;
/// use trunkline_transport::BoxIo;
/// use trunkline_transport::credentials::{
///     Handshake, Secured, Security, SecurityLevel, TransportCredentials,
/// };
///
/// /// For a network that encrypts by itself.
/// #[derive(Debug)]
/// struct TrustedNetwork;
///
/// impl TransportCredentials for TrustedNetwork {
///     fn client_handshake<'a>(&'a self, io: BoxIo, _authority: &'a str) -> Handshake<'a> {
///         self.server_handshake(io)
///     }
///
///     fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
///         let security = Security::new(SecurityLevel::PrivacyAndIntegrity);
///         Box::pin(async move { Ok(Secured::new(io, security)) })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no credentials of a connection",
    label = "these secure no connection",
    note = "tokens go with calls: `.call_credentials(token)`; certificates belong into `ClientTls` or \
            `ServerTls`"
)]
pub trait TransportCredentials: Send + Sync + 'static {
    /// The client's side. `authority` is the `:authority` that calls will have: the host, perhaps
    /// with a port, that the server has to prove to be.
    ///
    /// Errors: UNAVAILABLE, unless calls are to fail with another code; the text says what went
    /// wrong. The address and the stage are added by whoever connects.
    fn client_handshake<'a>(&'a self, io: BoxIo, authority: &'a str) -> Handshake<'a>;

    /// The server's side.
    ///
    /// Errors: any code; the text is logged, and the connection closed.
    fn server_handshake(&self, io: BoxIo) -> Handshake<'_>;
}

/// A byte stream after its handshake, and what the handshake has shown.
#[derive(Debug)]
#[non_exhaustive]
pub struct Secured {
    /// What HTTP/2 is spoken over.
    pub io: BoxIo,
    /// What is known about the connection from now on, see [`Peer`](crate::Peer).
    pub security: Security,
}

impl Secured {
    /// What a handshake returns.
    #[must_use]
    pub const fn new(io: BoxIo, security: Security) -> Self {
        Self { io, security }
    }
}

/// Any [`TransportCredentials`], with their type erased; clones share them.
#[derive(Clone)]
pub struct BoxCredentials(Arc<dyn TransportCredentials>);

impl BoxCredentials {
    /// Erases credentials.
    pub fn new(credentials: impl TransportCredentials) -> Self {
        Self(Arc::new(credentials))
    }
}

impl TransportCredentials for BoxCredentials {
    fn client_handshake<'a>(&'a self, io: BoxIo, authority: &'a str) -> Handshake<'a> {
        self.0.client_handshake(io, authority)
    }

    fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
        self.0.server_handshake(io)
    }
}

impl fmt::Debug for BoxCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxCredentials")
    }
}
