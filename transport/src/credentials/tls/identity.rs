//! Who this side is: a certificate chain and its private key.

use std::fmt;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, SignatureScheme};

use super::reload::read;
use super::{TlsError, provider};

/// A certificate chain and the private key of its first certificate: who this side is.
///
/// Its `Debug` shows no key.
///
/// ```no_run
/// use trunkline_transport::credentials::tls::Identity;
///
/// let fixed = Identity::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
/// let follows_the_files = Identity::from_files("chain.pem", "key.pem")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    files: Option<[PathBuf; 2]>,
}

impl Identity {
    /// From PEM: the chain, its own certificate first and the roots left out, and the key as
    /// PKCS#8, PKCS#1 or SEC1. The two may be the same file: each takes what it looks for.
    ///
    /// Errors: there is no certificate or key, it cannot be used, or the two do not belong
    /// together.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::new(certificates(chain.as_ref())?, key_of_pem(key.as_ref())?)
    }

    /// From two PEM files, as in [`from_pem`](Self::from_pem), and again from them when they have
    /// changed: connections that begin a second after a change, or later, use what they hold by
    /// then. What cannot be used is logged, and the last good ones stay in use. Blocks while it
    /// reads.
    ///
    /// Errors: a file cannot be read; those of [`from_pem`](Self::from_pem). Each names the file.
    pub fn from_files(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = [chain.into(), key.into()];
        let contents = read(&files)?;
        Self::parse(files, &mut contents.iter())
    }

    /// From DER: X.509 certificates, and the key as PKCS#8, PKCS#1 or SEC1.
    ///
    /// Errors: as [`from_pem`](Self::from_pem).
    pub fn from_der(
        chain: impl IntoIterator<Item = Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::try_from(key.into()).map_err(|why| TlsError::Key {
            text: why.to_owned(),
        })?;
        Self::new(chain.into_iter().map(CertificateDer::from).collect(), key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(certified) => Ok(Self {
                certified: Arc::new(certified),
                files: None,
            }),
            Err(Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch),
            Err(Error::InvalidCertificate(why)) => Err(TlsError::Certificate {
                text: why.to_string(),
            }),
            Err(why) => Err(TlsError::Key {
                text: why.to_string(),
            }),
        }
    }

    /// The files to follow.
    pub(super) fn files(&self) -> &[PathBuf] {
        self.files.as_ref().map_or(&[], <[PathBuf; 2]>::as_slice)
    }

    /// The same identity, from what its files hold by now.
    pub(super) fn renewed(
        &self,
        contents: &mut slice::Iter<'_, Vec<u8>>,
    ) -> Result<Self, TlsError> {
        match &self.files {
            Some(files) => Self::parse(files.clone(), contents),
            None => Ok(self.clone()),
        }
    }

    fn parse(
        files: [PathBuf; 2],
        contents: &mut slice::Iter<'_, Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let [chain_file, key_file] = &files;
        let mut next = || contents.next().map(Vec::as_slice).unwrap_or_default();
        let chain = certificates(next()).map_err(|error| error.of(chain_file))?;
        let key = key_of_pem(next()).map_err(|error| error.of(key_file))?;
        let mut parsed = Self::new(chain, key).map_err(|error| match error {
            TlsError::Certificate { .. } => error.of(chain_file),
            _ => error.of(key_file),
        })?;
        parsed.files = Some(files);
        Ok(parsed)
    }

    /// Shows this identity to whoever asks for one.
    pub(super) fn resolver(&self) -> Arc<Only> {
        Arc::new(Only(Arc::clone(&self.certified)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.certified.cert.len())
            .field("files", &self.files())
            .finish_non_exhaustive()
    }
}

/// The same identity in every handshake.
pub(super) struct Only(Arc<CertifiedKey>);

impl fmt::Debug for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Only")
    }
}

impl ResolvesServerCert for Only {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Only {
    /// Shown even to a server that names other issuers: its refusal says more than an empty
    /// answer would.
    fn resolve(&self, _issuers: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// All certificates of a PEM text.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| TlsError::Pem {
        text: error.to_string(),
    })?;
    match found.is_empty() {
        true => Err(TlsError::NoCertificate),
        false => Ok(found),
    }
}

/// The first private key of a PEM text.
pub(super) fn key_of_pem(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => TlsError::NoKey,
        other => TlsError::Pem {
            text: other.to_string(),
        },
    })
}
