//! Certificates made for one test, and the services that are reached with them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{
    self, ALL_VERSIONS, ClientConfig, ConfigBuilder, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
};
use trunkline::server::ServerBuilder;
use trunkline::tls::{ClientTls, Identity, Roots, ServerTls};
use trunkline::transport::credentials::{Security, TransportCredentials};
use trunkline::{Channel, Response, Server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, note};
use crate::world::World;

/// Who signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for these names.
    pub(crate) fn sign(&self, names: &[&str]) -> Leaf {
        self.sign_with(names, |_| ())
    }

    /// The same, with something changed.
    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.serial_number = Some(SERIAL.fetch_add(1, Ordering::Relaxed).into());
        change(&mut params);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }

    /// A client that trusts nobody else.
    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::builder().roots(self.roots()).build().unwrap()
    }

    /// A server at 127.0.0.1 and localhost.
    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::new(self.sign(&["localhost", "127.0.0.1"]).identity()).unwrap()
    }
}

impl Leaf {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.chain, &self.key).unwrap()
    }
}

/// What a handler knows of the connection, as one line.
pub(crate) fn describe(security: &Security) -> String {
    let Some(tls) = security.tls() else {
        return format!("{:?}", security.level());
    };
    let version = tls.version.unwrap();
    format!(
        "{:?}, {version}, alpn {:?}, name {:?}, {} certificates, resumed {}",
        security.level(),
        tls.alpn.as_deref().unwrap_or_default(),
        tls.server_name.as_deref().unwrap_or_default(),
        tls.peer_certificates.len(),
        tls.resumed,
    )
}

/// An Echo whose `once` answers with what [`describe`] says, and the certificate as bytes.
pub(crate) fn telling_server(credentials: impl TransportCredentials) -> ServerBuilder {
    let echo = Scripted::default().once(|cx, _| {
        let security = cx.peer().security();
        let mut told = note(&describe(security));
        let first = security.tls().and_then(|tls| tls.peer_certificates.first());
        told.data = first.cloned().unwrap_or_default();
        Box::pin(async { Ok(Response::from(told)) })
    });
    Server::builder()
        .credentials(credentials)
        .add_service(EchoServer::new(echo))
}

/// Such a server on TCP, and a channel to it.
pub(crate) async fn secured(server: ServerTls, client: ClientTls) -> World {
    World::tcp_secured(telling_server(server), |channel| {
        channel.credentials(client)
    })
    .await
}

/// A client of its own connection.
pub(crate) fn echo_to(world: &World, client: ClientTls) -> EchoClient {
    let channel = Channel::builder(world.address.to_string()).credentials(client);
    EchoClient::new(channel.build().unwrap())
}

/// rustls as it comes: a server with this certificate, which speaks these protocols by ALPN.
pub(crate) fn raw_server_config(leaf: &Leaf, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider());
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let mut config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der.clone().into()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|each| each.to_vec()).collect();
    Arc::new(config)
}

/// Such a server, which takes connections and does nothing with them.
pub(crate) async fn raw_server(leaf: &Leaf, alpn: &[&[u8]]) -> (SocketAddr, AbortOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(raw_server_config(leaf, alpn));
    let serving = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((io, _)) = listener.accept().await {
            open.push(acceptor.accept(io).await);
        }
    });
    (address, AbortOnDrop(serving))
}

/// Ends a task of a test with the test.
pub(crate) struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// rustls as it comes: a client that trusts this authority and offers these protocols by ALPN.
pub(crate) fn raw_client(authority: &Authority, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = raw_client_builder(authority, ALL_VERSIONS).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|each| each.to_vec()).collect();
    Arc::new(config)
}

/// A client of ours that knows nothing newer than TLS 1.2.
pub(crate) fn only_tls12(authority: &Authority, leaf: Option<&Leaf>) -> ClientTls {
    let builder = raw_client_builder(authority, &[&TLS12]);
    let config = match leaf {
        Some(leaf) => {
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            let chain = vec![leaf.der.clone().into()];
            // Not `with_client_auth_cert`: it shows nothing to a server that names other issuers.
            let certified = CertifiedKey::from_der(chain, key, &provider()).unwrap();
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    ClientTls::from_rustls(config).unwrap()
}

fn raw_client_builder(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    let pem = authority.pem.as_bytes();
    roots
        .add(CertificateDer::from_pem_slice(pem).unwrap())
        .unwrap();
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
