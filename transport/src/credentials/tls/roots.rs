//! Whose signatures are trusted.

use std::fmt;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::RootCertStore;

use super::TlsError;
use super::identity::certificates;
use super::reload::read;

/// The certificates of those whose signatures are trusted.
///
/// ```no_run
/// use trunkline_transport::credentials::tls::Roots;
///
/// let ours = Roots::from_pem(std::fs::read("ca.pem")?)?;
/// let roots = Roots::web().and(&ours);
/// assert!(roots.len() > 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Roots {
    store: Arc<RootCertStore>,
    /// Those among them that are not from files.
    fixed: Arc<RootCertStore>,
    files: Vec<PathBuf>,
    /// Where they are from, for errors: "Mozilla's", "given".
    origin: String,
}

impl Roots {
    /// Mozilla's, as they were when trunkline was built: the same on every machine.
    #[must_use]
    pub fn web() -> Self {
        let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Self::made(anchors.collect(), "Mozilla's")
    }

    /// Those of the machine, read now: what its administrator trusts. Blocks while it reads.
    ///
    /// Errors: there is none that can be used. Single ones that cannot be are left out.
    pub fn platform() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (added, _unusable) = store.add_parsable_certificates(found.certs);
        if added == 0 {
            let text = match found.errors.first() {
                Some(error) => error.to_string(),
                None => "there are none".to_owned(),
            };
            return Err(TlsError::PlatformRoots { text });
        }
        Ok(Self::made(store, "the platform's"))
    }

    /// All certificates of a PEM text.
    ///
    /// Errors: there is none in it, or one that cannot be used.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::given(certificates(pem.as_ref())?)
    }

    /// All certificates of a PEM file, and again from it when it has changed: see
    /// [`Identity::from_files`](super::Identity::from_files).
    ///
    /// Errors: it cannot be read; those of [`from_pem`](Self::from_pem). Each names the file.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let files = vec![file.into()];
        let contents = read(&files)?;
        let origin = files.first().map(|file| file.display().to_string());
        let empty = Self {
            store: Arc::new(RootCertStore::empty()),
            fixed: Arc::new(RootCertStore::empty()),
            files,
            origin: origin.unwrap_or_default(),
        };
        empty.renewed(&mut contents.iter())
    }

    /// X.509 certificates as DER.
    ///
    /// Errors: there is none, or one that cannot be used.
    pub fn from_der(certificates: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, TlsError> {
        Self::given(certificates.into_iter().map(CertificateDer::from).collect())
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        Arc::make_mut(&mut self.store).extend(others.store.roots.iter().cloned());
        Arc::make_mut(&mut self.fixed).extend(others.fixed.roots.iter().cloned());
        self.files.extend_from_slice(&others.files);
        self.origin = format!("{} and {}", self.origin, others.origin);
        self
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// False: every constructor insists on at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    pub(super) const fn store(&self) -> &Arc<RootCertStore> {
        &self.store
    }

    /// The files to follow.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The same roots, from what their files hold by now.
    pub(super) fn renewed(
        &self,
        contents: &mut slice::Iter<'_, Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let mut store = RootCertStore::clone(&self.fixed);
        for (file, pem) in self.files.iter().zip(contents) {
            let added = certificates(pem).and_then(|found| add(&mut store, found));
            added.map_err(|error| error.of(file))?;
        }
        Ok(Self {
            store: Arc::new(store),
            ..self.clone()
        })
    }

    fn given(certificates: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        add(&mut store, certificates)?;
        Ok(Self::made(store, "given"))
    }

    fn made(store: RootCertStore, origin: &str) -> Self {
        let store = Arc::new(store);
        Self {
            fixed: Arc::clone(&store),
            store,
            files: Vec::new(),
            origin: origin.to_owned(),
        }
    }
}

fn add(
    store: &mut RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<(), TlsError> {
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    for certificate in certificates {
        let added = store.add(certificate);
        added.map_err(|why| TlsError::Certificate {
            text: why.to_string(),
        })?;
    }
    Ok(())
}

/// As in an error: `146 roots loaded (Mozilla's)`.
impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.len() == 1 { "" } else { "s" };
        write!(f, "{} root{plural} loaded ({})", self.len(), self.origin)
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({self})")
    }
}
