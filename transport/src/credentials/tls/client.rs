//! The client's side of TLS.

use std::fmt;
use std::sync::Arc;

use http::uri::Authority;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use trunkline_core::{Origin, Stage, Status};

use super::explain::{Role, Terms, cut, explain, no_h2};
use super::reload::Current;
use super::stream::{Counted, TlsIo};
use super::{H2, Identity, Roots, TlsError, info, provider, versions};
use crate::BoxIo;
use crate::credentials::{Handshake, Secured, Security, TlsVersion, TransportCredentials};

/// TLS for a channel: the server proves its name, and nobody on the way reads or changes a thing.
///
/// TLS 1.2 and 1.3 by rustls on ring; h2 by ALPN, and nothing else; sessions are resumed. The
/// name that a server has to prove is the channel's `authority`. Clones are cheap and share their
/// sessions: give the same one to all channels that go the same way.
///
/// ```
/// use trunkline_transport::credentials::tls::ClientTls;
///
/// let public = ClientTls::new()?;
/// # drop(public);
/// # Ok::<(), trunkline_transport::credentials::tls::TlsError>(())
/// ```
///
/// With certificates of one's own on both sides:
/// ```no_run
/// use trunkline_transport::credentials::tls::{ClientTls, Identity, Roots};
///
/// let tls = ClientTls::builder()
///     .roots(Roots::from_file("ca.pem")?)
///     .identity(Identity::from_files("client.pem", "client.key")?)
///     .build()?;
/// # Ok::<(), trunkline_transport::credentials::tls::TlsError>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    current: Current<Made>,
    server_name: Option<ServerName<'static>>,
    assume_http2: bool,
}

/// What one handshake needs.
#[derive(Clone)]
struct Made {
    config: Arc<ClientConfig>,
    terms: Arc<Terms>,
}

impl ClientTls {
    /// TLS that trusts Mozilla's roots: for servers on the public internet.
    ///
    /// Errors: none that is known; they are those of [`ClientTlsBuilder::build`].
    pub fn new() -> Result<Self, TlsError> {
        Self::builder().build()
    }

    /// Starts with the defaults: Mozilla's roots, no identity, TLS 1.2 and 1.3.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder {
            roots: None,
            identity: None,
            server_name: None,
            oldest: TlsVersion::V1_2,
            assume_http2: false,
        }
    }

    /// TLS by a rustls configuration of yours: another crypto provider, another verifier.
    ///
    /// It is used as it is, but offers `h2` by ALPN if it says nothing about ALPN; a server that
    /// does not agree on `h2` is refused all the same.
    ///
    /// Errors: it names protocols for ALPN, but not `h2`.
    pub fn from_rustls(config: impl Into<Arc<ClientConfig>>) -> Result<Self, TlsError> {
        let mut config = config.into();
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = vec![H2.to_vec()];
        } else if !config.alpn_protocols.iter().any(|each| each == H2) {
            return Err(TlsError::NoH2);
        }
        let terms = Terms {
            role: Role::Client,
            roots: None,
            has_identity: config.client_auth_cert_resolver.has_certs(),
            oldest: TlsVersion::V1_2,
        };
        let made = Made {
            config,
            terms: Arc::new(terms),
        };
        Ok(Self {
            current: Current::new(Vec::new(), Box::new(move |_| Ok(made.clone())))?,
            server_name: None,
            assume_http2: false,
        })
    }

    async fn handshake(&self, io: BoxIo, authority: &str) -> Result<Secured, Status> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(authority)?,
        };
        let Made { config, terms } = self.current.get().await;
        let asked = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let connected = TlsConnector::from(config)
            .connect(name, Counted::new(io))
            .await;
        let stream = connected.map_err(|error| match explain(&error, &terms) {
            Some(text) => failed(text).with_source(error),
            None => failed(cut(&error, &terms)).with_source(error),
        })?;
        let (_, session) = stream.get_ref();
        let alpn = session.alpn_protocol();
        if alpn != Some(H2) && !(alpn.is_none() && self.assume_http2) {
            return Err(failed(no_h2(alpn, &terms)));
        }
        let security = Security::with_tls(info(session, asked));
        let io = BoxIo::new(TlsIo::new(stream, terms));
        Ok(Secured::new(io, security))
    }
}

impl TransportCredentials for ClientTls {
    fn client_handshake<'a>(&'a self, io: BoxIo, authority: &'a str) -> Handshake<'a> {
        Box::pin(self.handshake(io, authority))
    }

    fn server_handshake(&self, _io: BoxIo) -> Handshake<'_> {
        let text = "ClientTls was given to a server, which needs ServerTls";
        Box::pin(std::future::ready(Err(failed(text.to_owned()))))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("server_name", &self.server_name)
            .field("assume_http2", &self.assume_http2)
            .finish_non_exhaustive()
    }
}

/// Sets a client's TLS options; made by [`ClientTls::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until .build()"]
pub struct ClientTlsBuilder {
    roots: Option<Roots>,
    identity: Option<Identity>,
    server_name: Option<String>,
    oldest: TlsVersion,
    assume_http2: bool,
}

impl ClientTlsBuilder {
    /// Whose signatures are trusted, in place of Mozilla's roots. Several: [`Roots::and`].
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Who the client is, for servers that ask. Default: nobody.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The name to ask for and to verify, where it is not that of the channel's authority.
    ///
    /// `:authority` stays what it is: to change all three, set the channel's `authority`.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The oldest version spoken. Default: TLS 1.2.
    pub const fn min_version(mut self, oldest: TlsVersion) -> Self {
        self.oldest = oldest;
        self
    }

    /// Speaks HTTP/2 also where the server does not know ALPN, as some proxies do not.
    ///
    /// Default: no. A server without ALPN is refused then, because what follows would be noise
    /// if it spoke HTTP/1.
    pub const fn assume_http2(mut self) -> Self {
        self.assume_http2 = true;
        self
    }

    /// Puts it together, and reads the files of roots and identity that have some.
    ///
    /// Errors: the server's name is none; a file cannot be read or used.
    pub fn build(self) -> Result<ClientTls, TlsError> {
        let server_name = self.server_name.as_deref().map(parse_name).transpose()?;
        let roots = self.roots.unwrap_or_else(Roots::web);
        let identity = self.identity;
        let oldest = self.oldest;
        let mut files = Vec::new();
        files.extend_from_slice(identity.as_ref().map_or(&[], Identity::files));
        files.extend_from_slice(roots.files());
        let make = move |contents: &[Vec<u8>]| {
            let mut contents = contents.iter();
            let identity = identity.as_ref();
            let identity = match identity {
                Some(each) => Some(each.renewed(&mut contents)?),
                None => None,
            };
            let roots = roots.renewed(&mut contents)?;
            make(roots, identity.as_ref(), oldest)
        };
        Ok(ClientTls {
            current: Current::new(files, Box::new(make))?,
            server_name,
            assume_http2: self.assume_http2,
        })
    }
}

/// A configuration with sessions of its own: none made with an earlier identity is resumed.
fn make(roots: Roots, identity: Option<&Identity>, oldest: TlsVersion) -> Result<Made, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&versions(oldest));
    let builder = builder.map_err(|why| TlsError::Settings {
        text: why.to_string(),
    })?;
    let builder = builder.with_root_certificates(Arc::clone(roots.store()));
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![H2.to_vec()];
    let terms = Terms {
        role: Role::Client,
        roots: Some(roots),
        has_identity: identity.is_some(),
        oldest,
    };
    Ok(Made {
        config: Arc::new(config),
        terms: Arc::new(terms),
    })
}

/// The host of an authority, as a name to verify.
fn server_name(authority: &str) -> Result<ServerName<'static>, Status> {
    let parsed = authority.parse::<Authority>();
    let host = parsed.as_ref().map_or(authority, Authority::host);
    parse_name(host).map_err(|error| failed(format!("no name to verify: {error}")))
}

pub(super) fn parse_name(text: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::ServerName {
        text: text.to_owned(),
    })
}

/// The handshake came to nothing.
fn failed(text: String) -> Status {
    Status::unavailable(text)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Tls)
        .with_unprocessed(true)
}
