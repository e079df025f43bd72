//! Which encodings a side understands.

use std::sync::Arc;

use http::HeaderValue;

use super::{Compressor, Encoding, EncodingNameError};

/// The encodings that a channel or a server understands, and can use itself if told to.
///
/// The default is what the features of this crate bring: `gzip`, `deflate`, `zstd`, in this order.
/// A value like any other: each channel and each server has its own. Cloning shares the list.
/// `identity`, which leaves messages as they are, is always understood and never in it.
/// ```
/// use trunkline_core::CompressorRegistry;
///
/// let nothing = CompressorRegistry::empty();
/// assert_eq!(nothing.names().count(), 0);
/// # #[cfg(feature = "gzip")] {
/// assert!(CompressorRegistry::default().find("gzip").is_some());
/// let strong = CompressorRegistry::empty().with(trunkline_core::Gzip::with_level(9))?;
/// assert_eq!(strong.names().collect::<Vec<_>>(), ["gzip"]);
/// # }
/// # Ok::<(), trunkline_core::EncodingNameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CompressorRegistry(
    /// `None` if it knows nothing: to make such a one is free.
    Option<Arc<Known>>,
);

#[derive(Clone, Debug)]
struct Known {
    encodings: Vec<Encoding>,
    accept: Option<HeaderValue>,
}

impl CompressorRegistry {
    /// Understands nothing but uncompressed messages.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Adds a compressor behind the others, or puts it in the place of the one with its name.
    ///
    /// Errors: its name cannot stand in a header.
    pub fn with(self, compressor: impl Compressor) -> Result<Self, EncodingNameError> {
        let encoding = Encoding::new(compressor)?;
        let mut encodings = self.encodings().to_vec();
        match encodings
            .iter_mut()
            .find(|each| each.name() == encoding.name())
        {
            Some(place) => *place = encoding,
            None => encodings.push(encoding),
        }
        Ok(Self::of(encodings))
    }

    /// The same without this one; one that is not there changes nothing.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        let mut encodings = self.encodings().to_vec();
        encodings.retain(|each| each.name() != name);
        Self::of(encodings)
    }

    /// Whether both are clones of one value.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// The encoding of this name, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Encoding> {
        let mut all = self.iter();
        all.find(|each| each.name().eq_ignore_ascii_case(name))
    }

    /// All encodings, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Encoding> {
        self.encodings().iter()
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.iter().map(Encoding::name)
    }

    /// What to send as `grpc-accept-encoding`; `None` if there is nothing to say. A clone of it
    /// allocates nothing.
    #[must_use]
    pub fn accept_encoding(&self) -> Option<&HeaderValue> {
        self.0.as_ref()?.accept.as_ref()
    }

    fn encodings(&self) -> &[Encoding] {
        self.0.as_ref().map_or(&[], |known| &known.encodings)
    }

    fn of(encodings: Vec<Encoding>) -> Self {
        let names: Vec<_> = encodings.iter().map(Encoding::name).collect();
        // Names are tokens, so their list is a header value.
        let accept = match names.as_slice() {
            [] => return Self::empty(),
            [one] => Some(HeaderValue::from_static(one)),
            many => HeaderValue::try_from(many.join(",")).ok(),
        };
        Self(Some(Arc::new(Known { encodings, accept })))
    }
}

impl Default for CompressorRegistry {
    fn default() -> Self {
        #[expect(
            clippy::vec_init_then_push,
            reason = "each element depends on a feature"
        )]
        #[cfg(any(feature = "gzip", feature = "deflate", feature = "zstd"))]
        let encodings = {
            let mut encodings = Vec::new();
            #[cfg(feature = "gzip")]
            encodings.push(known(super::Gzip::default()));
            #[cfg(feature = "deflate")]
            encodings.push(known(super::Deflate::default()));
            #[cfg(feature = "zstd")]
            encodings.push(known(super::Zstd::default()));
            encodings
        };
        #[cfg(not(any(feature = "gzip", feature = "deflate", feature = "zstd")))]
        let encodings = Vec::new();
        Self::of(encodings)
    }
}

/// One of our own, whose name is a token.
#[cfg(any(feature = "gzip", feature = "deflate", feature = "zstd"))]
fn known(compressor: impl Compressor) -> Encoding {
    Encoding::checked(compressor.name(), Box::new(compressor))
}
