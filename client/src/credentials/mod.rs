//! Credentials of calls: metadata that says who calls, asked for each time that a call is put on a
//! connection.

mod bearer;

use std::fmt;
use std::sync::Arc;

use http::uri::Authority;
use trunkline_core::{Code, Metadata, MethodDescriptor, Stage, Status};
use trunkline_transport::credentials::SecurityLevel;
use trunkline_transport::{Address, Peer};

pub use bearer::{BearerToken, Token};

use crate::exclusive::BoxFuture;

/// Gives the metadata that shows a server who calls, such as a token.
///
/// They are set for a channel by [`ChannelBuilder::call_credentials`] and for one call by
/// [`Call::credentials`]; where both are, the channel's metadata comes first. They are asked once a
/// connection has been chosen, beneath the interceptors and bounded by the call's deadline, and
/// again for each connection that a call is put on. No stream is held while they are asked.
///
/// Over a connection that others can read nothing is sent and the call fails with UNAUTHENTICATED,
/// unless the credentials say that they [need no privacy](Self::needs_privacy). Private is what TLS
/// secures, or other [transport credentials] of that level; and a connection that never leaves the
/// machine: in-memory and Unix sockets. TCP to the own host is not. It is the address that counts: a
/// [connector](crate::ChannelBuilder::connector) that leads a `memory:` or `unix:` target elsewhere
/// has to see to its privacy.
///
/// ```
/// use trunkline_client::{CallCredentials, CredentialsRequest};
/// use trunkline_core::{Metadata, Status};
///
/// /// A token that is good for one service only.
/// struct Signed;
///
/// impl CallCredentials for Signed {
///     async fn metadata(&self, request: &CredentialsRequest) -> Result<Metadata, Status> {
///         let mut metadata = Metadata::new();
///         let token = sign(&request.service_url()).await?;
///         metadata.insert("authorization", &format!("Bearer {token}"))?;
///         Ok(metadata)
///     }
/// }
/// # async fn sign(audience: &str) -> Result<String, Status> { Ok(audience.len().to_string()) }
/// ```
///
/// [`ChannelBuilder::call_credentials`]: crate::ChannelBuilder::call_credentials
/// [`Call::credentials`]: crate::Call::credentials
/// [transport credentials]: trunkline_transport::credentials::TransportCredentials
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no credentials of a call",
    label = "these are no credentials of a call",
    note = "TLS secures connections, not calls: `Channel::builder(..).credentials(tls)`"
)]
pub trait CallCredentials: Send + Sync + 'static {
    /// The metadata to add to one call on one connection.
    ///
    /// Errors: what the call is to fail with. Codes that only a server's own logic can mean, such
    /// as NOT_FOUND or INVALID_ARGUMENT, become INTERNAL (gRFC A54).
    /// Cancel safe has it to be: a call that is dropped or late drops it.
    fn metadata(
        &self,
        request: &CredentialsRequest,
    ) -> impl Future<Output = Result<Metadata, Status>> + Send;

    /// Whether they are refused on a connection that others can read. Default: yes.
    fn needs_privacy(&self) -> bool {
        true
    }

    /// Erases the type.
    fn boxed(self) -> BoxCallCredentials
    where
        Self: Sized,
    {
        BoxCallCredentials(Arc::new(self))
    }
}

/// What call credentials are asked for.
#[derive(Clone, Debug)]
pub struct CredentialsRequest {
    method: &'static MethodDescriptor,
    authority: Authority,
    security_level: SecurityLevel,
}

impl CredentialsRequest {
    /// The method that is called.
    #[must_use]
    pub const fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// The `:authority` of the call.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The service as tokens name it, their audience: `https://host/package.Service`, with the
    /// port unless it is 443.
    #[must_use]
    pub fn service_url(&self) -> String {
        let authority = self.authority();
        let host = authority.strip_suffix(":443").unwrap_or(authority);
        format!("https://{host}/{}", self.method.service)
    }

    /// What the connection is protected against.
    #[must_use]
    pub const fn security_level(&self) -> SecurityLevel {
        self.security_level
    }
}

/// Any [`CallCredentials`], with their type erased; clones share them.
#[derive(Clone)]
pub struct BoxCallCredentials(Arc<dyn Erased>);

trait Erased: Send + Sync {
    fn metadata(
        self: Arc<Self>,
        request: CredentialsRequest,
    ) -> BoxFuture<Result<Metadata, Status>>;
    fn needs_privacy(&self) -> bool;
}

impl<C: CallCredentials> Erased for C {
    fn metadata(
        self: Arc<Self>,
        request: CredentialsRequest,
    ) -> BoxFuture<Result<Metadata, Status>> {
        Box::pin(async move { C::metadata(&self, &request).await })
    }

    fn needs_privacy(&self) -> bool {
        C::needs_privacy(self)
    }
}

/// Credentials that others hold too.
impl<C: CallCredentials> CallCredentials for Arc<C> {
    fn metadata(
        &self,
        request: &CredentialsRequest,
    ) -> impl Future<Output = Result<Metadata, Status>> + Send {
        C::metadata(self, request)
    }

    fn needs_privacy(&self) -> bool {
        C::needs_privacy(self)
    }
}

impl CallCredentials for BoxCallCredentials {
    fn metadata(
        &self,
        request: &CredentialsRequest,
    ) -> impl Future<Output = Result<Metadata, Status>> + Send {
        Arc::clone(&self.0).metadata(request.clone())
    }

    fn needs_privacy(&self) -> bool {
        self.0.needs_privacy()
    }

    fn boxed(self) -> Self {
        self
    }
}

impl fmt::Debug for BoxCallCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxCallCredentials")
    }
}

/// What is asked of the credentials of one call for one connection.
pub(crate) struct Question {
    request: CredentialsRequest,
    all: Vec<BoxCallCredentials>,
}

impl Question {
    /// Errors: UNAUTHENTICATED where credentials must not be shown to this peer.
    pub(crate) fn new(
        all: Vec<BoxCallCredentials>,
        method: &'static MethodDescriptor,
        authority: &Authority,
        peer: &Peer,
    ) -> Result<Self, Status> {
        let security_level = level(peer);
        let private = security_level >= SecurityLevel::PrivacyAndIntegrity;
        if !private && all.iter().any(CallCredentials::needs_privacy) {
            let text = format!(
                "call credentials are not sent over the connection to {}, which others can read: \
                 secure the channel with TLS, or let needs_privacy() say false",
                peer.address()
            );
            return Err(refused(Status::unauthenticated(text)));
        }
        Ok(Self {
            request: CredentialsRequest {
                method,
                authority: authority.clone(),
                security_level,
            },
            all,
        })
    }

    /// Adds what they give to the call's metadata.
    pub(crate) async fn ask(self, mut metadata: Metadata) -> Result<Metadata, Status> {
        for credentials in &self.all {
            let given = credentials.metadata(&self.request).await;
            metadata.extend(given.map_err(restricted)?);
        }
        Ok(metadata)
    }
}

/// What secures the connection; a path that never leaves the machine is private by itself.
pub(crate) fn level(peer: &Peer) -> SecurityLevel {
    match peer.address() {
        Address::Memory(_) | Address::Unix(_) | Address::UnixAbstract(_) => {
            SecurityLevel::PrivacyAndIntegrity
        }
        _ => peer.security().level(),
    }
}

/// The status of credentials as a call may end with it.
fn restricted(why: Status) -> Status {
    let (code, text) = match why.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss => {
            let code = why.code().name();
            let text = format!("call credentials failed with {code}: {}", why.message());
            (Code::Internal, text)
        }
        code => (code, format!("call credentials: {}", why.message())),
    };
    refused(Status::new(code, text)).with_source(why)
}

/// Nothing was sent.
fn refused(status: Status) -> Status {
    status.with_stage(Stage::Request).with_unprocessed(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::{Origin, Shape};

    static METHOD: MethodDescriptor =
        MethodDescriptor::new("pkg.Svc", "M", "/pkg.Svc/M", Shape::Unary);

    #[test]
    fn the_service_is_named_as_tokens_name_it() {
        for (authority, url) in [
            ("host.example", "https://host.example/pkg.Svc"),
            ("host.example:443", "https://host.example/pkg.Svc"),
            ("host.example:4430", "https://host.example:4430/pkg.Svc"),
            ("[::1]:443", "https://[::1]/pkg.Svc"),
        ] {
            let request = CredentialsRequest {
                method: &METHOD,
                authority: authority.parse().unwrap(),
                security_level: SecurityLevel::None,
            };
            assert_eq!(request.service_url(), url);
        }
    }

    #[test]
    fn codes_that_only_a_server_can_mean_become_internal() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            let why = Status::new(code, "x").with_origin(Origin::Peer);
            let status = restricted(why);
            assert!(status.is_unprocessed() && status.origin() == Origin::Local);
            match number {
                3 | 5 | 6 | 9 | 10 | 11 | 15 => {
                    assert_eq!(status.code(), Code::Internal, "{status}");
                    assert!(status.message().contains(code.name()), "{status}");
                }
                _ => assert_eq!(status.code(), code),
            }
        }
    }
}
