//! The server's side of TLS.

use std::fmt;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::Ticketer;
use tokio_rustls::rustls::server::{WebPkiClientVerifier, danger::ClientCertVerifier};
use trunkline_core::{Origin, Stage, Status};

use super::explain::{Role, Terms, cut, explain, no_h2};
use super::reload::Current;
use super::stream::{Counted, TlsIo};
use super::{H2, Identity, Roots, TlsError, info, provider, versions};
use crate::BoxIo;
use crate::credentials::{Handshake, Secured, Security, TlsVersion, TransportCredentials};
use crate::linger::{LINGER, linger};

/// TLS for a server: it proves who it is, and may ask its clients to.
///
/// TLS 1.2 and 1.3 by rustls on ring; h2 by ALPN, and nothing else; sessions are resumed. The
/// handshake runs in the connection's own task under the server's `handshake_timeout`. Handlers
/// find what it has shown in [`Peer::security`](crate::Peer::security).
///
/// ```no_run
/// use trunkline_transport::credentials::tls::{ClientCertificates, Identity, Roots, ServerTls};
///
/// let identity = Identity::from_files("server.pem", "server.key")?;
/// let tls = ServerTls::new(identity.clone())?;
/// // Clients have to show a certificate of ours:
/// let mutual = ServerTls::builder(identity)
///     .client_certificates(ClientCertificates::Required(Roots::from_file("ca.pem")?))
///     .build()?;
/// # let _ = (tls, mutual);
/// # Ok::<(), trunkline_transport::credentials::tls::TlsError>(())
/// ```
#[derive(Clone)]
pub struct ServerTls {
    current: Current<Made>,
    assume_http2: bool,
}

/// What one handshake needs.
#[derive(Clone)]
struct Made {
    config: Arc<ServerConfig>,
    terms: Arc<Terms>,
}

/// What a server wants to know of its clients.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// Nothing: no certificate is asked for.
    #[default]
    None,
    /// Clients may show a certificate, which then has to be signed by one of these roots.
    /// Handlers see whether there was one.
    Optional(Roots),
    /// Clients have to show a certificate that is signed by one of these roots.
    Required(Roots),
}

impl ClientCertificates {
    const fn roots(&self) -> Option<&Roots> {
        match self {
            Self::None => None,
            Self::Optional(roots) | Self::Required(roots) => Some(roots),
        }
    }

    /// The same demand, with other roots.
    fn with(&self, roots: Roots) -> Self {
        match self {
            Self::None => Self::None,
            Self::Optional(_) => Self::Optional(roots),
            Self::Required(_) => Self::Required(roots),
        }
    }
}

impl ServerTls {
    /// TLS that asks for no client certificates.
    ///
    /// Errors: those of [`ServerTlsBuilder::build`].
    pub fn new(identity: Identity) -> Result<Self, TlsError> {
        Self::builder(identity).build()
    }

    /// Starts with the defaults: no client certificates, TLS 1.2 and 1.3.
    pub const fn builder(identity: Identity) -> ServerTlsBuilder {
        ServerTlsBuilder {
            identity,
            clients: ClientCertificates::None,
            oldest: TlsVersion::V1_2,
            assume_http2: false,
        }
    }

    /// TLS by a rustls configuration of yours: another crypto provider, a certificate for each of
    /// several names, another verifier.
    ///
    /// It is used as it is, but speaks `h2` by ALPN if it says nothing about ALPN; a client that
    /// does not agree on `h2` is refused all the same.
    ///
    /// Errors: it names protocols for ALPN, but not `h2`.
    pub fn from_rustls(config: impl Into<Arc<ServerConfig>>) -> Result<Self, TlsError> {
        let mut config = config.into();
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = vec![H2.to_vec()];
        } else if !config.alpn_protocols.iter().any(|each| each == H2) {
            return Err(TlsError::NoH2);
        }
        let terms = Terms {
            role: Role::Server,
            roots: None,
            has_identity: true,
            oldest: TlsVersion::V1_2,
        };
        let made = Made {
            config,
            terms: Arc::new(terms),
        };
        Ok(Self {
            current: Current::new(Vec::new(), Box::new(move |_| Ok(made.clone())))?,
            assume_http2: false,
        })
    }

    async fn handshake(&self, io: BoxIo) -> Result<Secured, Status> {
        let Made { config, terms } = self.current.get().await;
        let accepted = TlsAcceptor::from(config)
            .accept(Counted::new(io))
            .into_fallible()
            .await;
        let mut stream = match accepted {
            Ok(stream) => stream,
            Err((error, io)) => match explain(&error, &terms) {
                Some(text) => {
                    linger(io.into_inner()).await;
                    return Err(failed(text));
                }
                None => return Err(failed(cut(&error, &terms)).with_source(error)),
            },
        };
        let (_, session) = stream.get_ref();
        let alpn = session.alpn_protocol();
        if alpn != Some(H2) && !(alpn.is_none() && self.assume_http2) {
            let why = failed(no_h2(alpn, &terms));
            // Says goodbye as TLS wants it.
            let _ = tokio::time::timeout(LINGER, stream.shutdown()).await;
            return Err(why);
        }
        let asked = session.server_name().map(str::to_owned);
        let security = Security::with_tls(info(session, asked));
        let io = BoxIo::new(TlsIo::new(stream, terms));
        Ok(Secured::new(io, security))
    }
}

impl TransportCredentials for ServerTls {
    fn client_handshake<'a>(&'a self, _io: BoxIo, _authority: &'a str) -> Handshake<'a> {
        let text = "ServerTls was given to a channel, which needs ClientTls";
        Box::pin(std::future::ready(Err(failed(text.to_owned()))))
    }

    fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
        Box::pin(self.handshake(io))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("assume_http2", &self.assume_http2)
            .finish_non_exhaustive()
    }
}

/// Sets a server's TLS options; made by [`ServerTls::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until .build()"]
pub struct ServerTlsBuilder {
    identity: Identity,
    clients: ClientCertificates,
    oldest: TlsVersion,
    assume_http2: bool,
}

impl ServerTlsBuilder {
    /// Whether clients may, or have to, show certificates. Default: they are not asked.
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self
    }

    /// The oldest version spoken. Default: TLS 1.2.
    pub const fn min_version(mut self, oldest: TlsVersion) -> Self {
        self.oldest = oldest;
        self
    }

    /// Takes clients for HTTP/2 speakers that offer nothing by ALPN.
    ///
    /// Default: no, they are refused: what follows would be noise if they spoke HTTP/1.
    pub const fn assume_http2(mut self) -> Self {
        self.assume_http2 = true;
        self
    }

    /// Puts it together, and reads the files of identity and roots that have some.
    ///
    /// Errors: a file cannot be read or used.
    pub fn build(self) -> Result<ServerTls, TlsError> {
        let (identity, clients, oldest) = (self.identity, self.clients, self.oldest);
        let mut files = identity.files().to_vec();
        files.extend_from_slice(clients.roots().map_or(&[], Roots::files));
        let make = move |contents: &[Vec<u8>]| {
            let mut contents = contents.iter();
            let identity = identity.renewed(&mut contents)?;
            let clients = match clients.roots() {
                Some(roots) => clients.with(roots.renewed(&mut contents)?),
                None => ClientCertificates::None,
            };
            make(&identity, &clients, oldest)
        };
        Ok(ServerTls {
            current: Current::new(files, Box::new(make))?,
            assume_http2: self.assume_http2,
        })
    }
}

/// A configuration with ticket keys of its own: none made with an earlier identity, or for clients
/// of earlier roots, is taken.
fn make(
    identity: &Identity,
    clients: &ClientCertificates,
    oldest: TlsVersion,
) -> Result<Made, TlsError> {
    let refused = |text: String| TlsError::Settings { text };
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&versions(oldest));
    let builder = builder.map_err(|why| refused(why.to_string()))?;
    let mut config = builder
        .with_client_cert_verifier(verifier(clients)?)
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![H2.to_vec()];
    config.ticketer = Ticketer::new().map_err(|why| refused(why.to_string()))?;
    let terms = Terms {
        role: Role::Server,
        roots: clients.roots().cloned(),
        has_identity: true,
        oldest,
    };
    Ok(Made {
        config: Arc::new(config),
        terms: Arc::new(terms),
    })
}

fn verifier(clients: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(roots) = clients.roots() else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let store = Arc::clone(roots.store());
    let builder = WebPkiClientVerifier::builder_with_provider(store, provider());
    let builder = match clients {
        ClientCertificates::Optional(_) => builder.allow_unauthenticated(),
        ClientCertificates::None | ClientCertificates::Required(_) => builder,
    };
    builder.build().map_err(|why| TlsError::Settings {
        text: why.to_string(),
    })
}

/// The handshake came to nothing.
fn failed(text: String) -> Status {
    Status::unavailable(text)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Tls)
}
