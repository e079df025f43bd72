//! Key and value pairs that travel around messages.

mod key;
#[cfg(test)]
mod tests;
mod value;

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

pub use self::value::MetadataValue;
pub(crate) use self::value::{decode_binary, encode_binary, encoded_len};

/// A short ordered list of keys and values, sent before the messages of an RPC or after them.
///
/// A key may occur several times. Keys are lower-case: `[0-9a-z_.-]+`. A key that ends in `-bin`
/// carries bytes, any other key printable ASCII; each kind has its own methods, and the wrong
/// method for a key is an error on writing and "nothing there" on reading.
///
/// Two lists are equal if they have the same entries in the same order. Empty ones allocate nothing.
/// ```
/// use trunkline_core::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("tenant", "a")?;
/// metadata.insert_bin("trace-bin", [0, 255])?;
/// assert_eq!(metadata.get("tenant"), Some("a"));
/// assert_eq!(metadata.get_bin("trace-bin").as_deref(), Some(&[0, 255][..]));
/// assert!(metadata.insert("grpc-status", "0").is_err());
/// # Ok::<(), trunkline_core::MetadataError>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Metadata(Repr);

type Repr = Vec<(HeaderName, HeaderValue)>;

impl Metadata {
    /// An empty list; allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first text under this key.
    ///
    /// `None` for a `-bin` key, and for a value that a peer sent with bytes outside of ASCII.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// All texts under this key, in order.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &str> {
        let key = if key::is_binary(key) { "" } else { key };
        self.raw(key).filter_map(value::text)
    }

    /// The first byte value under this `-bin` key.
    pub fn get_bin(&self, key: &str) -> Option<Bytes> {
        self.get_all_bin(key).next()
    }

    /// All byte values under this `-bin` key, in order.
    ///
    /// Values that an intermediary joined with commas are taken apart. Padded and unpadded base64
    /// are read alike; what is not base64 is skipped.
    pub fn get_all_bin(&self, key: &str) -> impl Iterator<Item = Bytes> {
        let key = if key::is_binary(key) { key } else { "" };
        self.raw(key).flat_map(value::binaries)
    }

    /// Sets a text: replaces all that was under the key.
    ///
    /// Errors: the key is malformed, reserved or ends in `-bin`; the value is not printable ASCII
    /// or begins or ends with a space. Nothing is changed then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        let entry = ascii_entry(key, value)?;
        self.remove(key);
        self.0.push(entry);
        Ok(())
    }

    /// Adds a text behind those that are under the key. Errors as for [`insert`](Self::insert).
    pub fn append(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        self.0.push(ascii_entry(key, value)?);
        Ok(())
    }

    /// Sets a byte value: replaces all that was under the key.
    ///
    /// Errors: the key is malformed, reserved or does not end in `-bin`. Nothing is changed then.
    pub fn insert_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), MetadataError> {
        let entry = binary_entry(key, value.as_ref())?;
        self.remove(key);
        self.0.push(entry);
        Ok(())
    }

    /// Adds a byte value behind those that are under the key. Errors as for
    /// [`insert_bin`](Self::insert_bin).
    pub fn append_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), MetadataError> {
        self.0.push(binary_entry(key, value.as_ref())?);
        Ok(())
    }

    /// Removes all values under this key; whether there were any.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(name, _)| name.as_str() != key);
        self.0.len() != before
    }

    /// Whether there is an entry under this key, readable or not.
    pub fn contains(&self, key: &str) -> bool {
        self.raw(key).next().is_some()
    }

    /// The number of entries, counting a key once per value.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All readable entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MetadataValue<'_>)> {
        self.0.iter().flat_map(|(name, value)| {
            let name = name.as_str();
            value::values(name, value).map(move |value| (name, value))
        })
    }

    /// Adds all entries of another list behind those of this one.
    pub fn extend(&mut self, other: Self) {
        if self.0.is_empty() {
            self.0 = other.0;
        } else {
            self.0.extend(other.0);
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Plumbing for transports: adds an entry as it came from the wire, unchecked.
    pub fn push_wire(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Plumbing for transports: the entries as they go on the wire.
    pub fn wire(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Plumbing for transports: the entries as they go on the wire, by value.
    pub fn into_wire(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.0.into_iter()
    }

    fn raw(&self, key: &str) -> impl Iterator<Item = &HeaderValue> {
        let entries = self.0.iter().filter(move |(name, _)| name.as_str() == key);
        entries.map(|(_, value)| value)
    }
}

/// Keys whose values prove who somebody is.
const SECRETS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

/// Shows the entries, but no value of a key that is used for secrets: `authorization`, `cookie`,
/// `proxy-authorization`, `set-cookie`.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in &self.0 {
            match name.as_str() {
                secret if SECRETS.contains(&secret) => {
                    map.entry(&secret, &format_args!("(not shown)"))
                }
                name => map.entry(&name, value),
            };
        }
        map.finish()
    }
}

fn ascii_entry(key: &str, value: &str) -> Result<(HeaderName, HeaderValue), MetadataError> {
    let name = key::parse(key)?;
    if key::is_binary(key) {
        return Err(MetadataError::NeedsBytes {
            key: key.to_owned(),
        });
    }
    Ok((name, value::parse_ascii(key, value)?))
}

fn binary_entry(key: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), MetadataError> {
    let name = key::parse(key)?;
    if !key::is_binary(key) {
        return Err(MetadataError::NeedsText {
            key: key.to_owned(),
        });
    }
    Ok((name, encode_binary(value)))
}

/// Why an entry cannot be sent; the text names its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The key is empty or has a character outside of `0-9 a-z _ . -`.
    InvalidKey {
        /// The key as it was given.
        key: String,
    },
    /// The protocol writes this field by itself.
    ReservedKey {
        /// The key as it was given.
        key: String,
    },
    /// The value is not printable ASCII, or begins or ends with a space.
    InvalidValue {
        /// The key whose value it is.
        key: String,
    },
    /// Text was given for a key that ends in `-bin`.
    NeedsBytes {
        /// The key as it was given.
        key: String,
    },
    /// Bytes were given for a key that does not end in `-bin`.
    NeedsText {
        /// The key as it was given.
        key: String,
    },
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidKey { key } => {
                write!(f, "metadata key {key:?}: only 0-9 a-z _ . - are allowed")
            }
            Self::ReservedKey { key } => {
                write!(f, "metadata key {key:?}: reserved, written by gRPC itself")
            }
            Self::InvalidValue { key } => write!(
                f,
                "metadata key {key:?}: the value must be printable ASCII without outer spaces; \
                 bytes need a key that ends in -bin"
            ),
            Self::NeedsBytes { key } => {
                write!(f, "metadata key {key:?}: ends in -bin, so it takes bytes")
            }
            Self::NeedsText { key } => {
                write!(
                    f,
                    "metadata key {key:?}: bytes need a key that ends in -bin"
                )
            }
        }
    }
}

impl Error for MetadataError {}
