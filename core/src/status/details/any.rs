//! A detail that knows only its type's name: what is packed, and what an unknown type stays.

use bytes::Bytes;
use prost::{Message, Name};

use super::DetailsError;

/// What stands in front of the name; peers ignore it.
const PREFIX: &str = "type.googleapis.com/";

/// One detail as it travels: the name of its message type and the encoded message.
///
/// On the wire it is a `google.protobuf.Any`. One of a type that this program does not know can be
/// looked at, and packed into another status as it is.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct AnyDetail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl AnyDetail {
    /// Names an encoded message: by its full name, `google.rpc.BadRequest`, or by a whole URL.
    pub fn new(name: &str, value: impl Into<Bytes>) -> Self {
        let prefix = if name.contains('/') { "" } else { PREFIX };
        Self {
            type_url: format!("{prefix}{name}"),
            value: value.into(),
        }
    }

    /// Encodes a message that has a name.
    pub fn pack<D: Name>(detail: &D) -> Self {
        Self::new(&D::full_name(), detail.encode_to_vec())
    }

    /// The type as it came: `type.googleapis.com/google.rpc.BadRequest`.
    pub fn type_url(&self) -> &str {
        &self.type_url
    }

    /// The full name of the type: what follows the last slash.
    pub fn name(&self) -> &str {
        self.type_url
            .rsplit_once('/')
            .map_or(&self.type_url, |(_, name)| name)
    }

    /// The encoded message.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// Whether it is of this type.
    pub fn is<D: Name>(&self) -> bool {
        self.name() == D::full_name()
    }

    /// The message, if it is of this type.
    ///
    /// Errors: it is of another type, or broken.
    pub fn decode<D: Name + Default>(&self) -> Result<D, DetailsError> {
        if self.is::<D>() {
            self.decode_as()
        } else {
            Err(DetailsError::OtherType {
                expected: D::full_name(),
                found: self.name().to_owned(),
            })
        }
    }

    /// The message, read as this type whatever its name is.
    ///
    /// Errors: it is broken.
    pub fn decode_as<M: Message + Default>(&self) -> Result<M, DetailsError> {
        M::decode(self.value.clone()).map_err(|source| DetailsError::Malformed {
            what: self.name().to_owned(),
            source,
        })
    }
}
