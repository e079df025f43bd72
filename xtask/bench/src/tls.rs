//! A certificate for the cells over TLS, made anew for each run.

use crate::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

/// Where `write_certificates` put them.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The server's own, and its own authority.
    pub certificate: PathBuf,
    /// Of the certificate.
    pub key: PathBuf,
}

impl Certificates {
    /// In this folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }
}

/// A certificate for `localhost` and its key.
///
/// Errors: the folder cannot be written.
pub fn write_certificates(folder: &Path) -> Result<(), Failure> {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let places = Certificates::of(folder);
    fs::create_dir_all(folder)?;
    fs::write(places.certificate, made.cert.pem())?;
    fs::write(places.key, made.signing_key.serialize_pem())?;
    Ok(())
}

/// What a client of ours trusts.
pub(crate) fn connector(folder: &Path) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(
        Certificates::of(folder).certificate,
    )?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
