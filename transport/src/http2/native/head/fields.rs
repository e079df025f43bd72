//! What heads say: fields in their order, and the target of a request. Heads that begin alike share
//! what is alike.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use trunkline_core::CompressorRegistry;
use trunkline_core::protocol::{
    Field, RequestReader, ResponseHead, read_response_head, read_trailers,
};

use super::request::short_timeout;

/// A field as it is kept.
pub(super) type Pair = (HeaderName, HeaderValue);

/// What the pseudo-header fields of a request say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// UTF-8, since tokens are.
    pub(super) method: Bytes,
    /// Printable ASCII.
    pub(super) path: Bytes,
    pub(super) authority: Option<Authority>,
}

/// The first fields of a head or of trailers, which many messages have in common.
#[derive(Debug)]
pub(super) struct Shared {
    /// Of a request.
    pub(super) target: Option<Target>,
    pub(super) fields: Vec<Pair>,
    /// What they say of a timeout, if it is short.
    pub(super) timeout: Option<Duration>,
    /// What core makes of the fields, once it was asked.
    read: OnceLock<RequestReader>,
    /// What there is to know of them if they are all.
    plain: Plain,
}

/// Fields that say what those of nearly every call say. Their reader was asked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    No,
    /// The head of a response with `:status` 200: messages follow, with neither metadata nor
    /// encoding.
    Head,
    /// Trailers: the RPC went well, without metadata.
    Ok,
}

impl Shared {
    pub(super) fn new(target: Option<Target>, fields: Vec<Pair>) -> Self {
        Self {
            target,
            timeout: short_timeout(&fields),
            fields,
            read: OnceLock::new(),
            plain: Plain::No,
        }
    }

    pub(super) fn response(fields: Vec<Pair>) -> Self {
        let mut shared = Self::new(None, fields);
        let none = CompressorRegistry::empty();
        let read = read_response_head(200, false, shared.lend(), &none);
        if let ResponseHead::Stream(metadata, None) = read
            && metadata.is_empty()
        {
            shared.plain = Plain::Head;
        }
        shared
    }

    pub(super) fn trailers(fields: Vec<Pair>) -> Self {
        let mut shared = Self::new(None, fields);
        if read_trailers(shared.lend()).is_ok_and(|metadata| metadata.is_empty()) {
            shared.plain = Plain::Ok;
        }
        shared
    }

    fn lend(&self) -> impl Iterator<Item = Lent<'_>> {
        let fields = self.fields.iter();
        fields.map(|(name, value)| Lent::Shared(name, value))
    }

    /// A reader that has read these.
    pub(super) fn reader(&self, known: &CompressorRegistry) -> RequestReader {
        let read = || {
            let mut reader = RequestReader::new(known);
            for (name, value) in &self.fields {
                reader.take(Lent::Shared(name, value));
            }
            reader
        };
        let kept = self.read.get_or_init(read);
        if kept.knows(known) {
            kept.clone()
        } else {
            read()
        }
    }
}

/// The fields of a head or of trailers in their order, without pseudo-header fields.
///
/// Names that gRPC uses cost nothing; values are slices of one buffer, or shared with other heads.
#[derive(Clone, Default)]
pub(in super::super) struct FieldList {
    pub(super) first: Option<Arc<Shared>>,
    pub(super) own: Vec<Pair>,
}

impl FieldList {
    pub(super) const fn new(first: Option<Arc<Shared>>, own: Vec<Pair>) -> Self {
        Self { first, own }
    }

    /// All of them, if they are shared with no other head.
    pub(super) fn into_own(self) -> Vec<Pair> {
        self.own
    }

    #[cfg(test)]
    pub(in super::super) fn len(&self) -> usize {
        self.shared().len() + self.own.len()
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let all = self.shared().iter().chain(&self.own);
        all.map(|(name, value)| (name, value))
    }

    /// Takes them for a reader that copies only what it keeps.
    pub(in super::super) fn lend(&mut self) -> impl Iterator<Item = Lent<'_>> {
        let shared = self.first.as_ref().map_or(&[][..], |first| &first.fields);
        let own = std::mem::take(&mut self.own).into_iter();
        let shared = shared.iter().map(|(name, value)| Lent::Shared(name, value));
        shared.chain(own.map(|(name, value)| Lent::Own(name, value)))
    }

    /// Of a response with `:status` 200: messages follow, and there is nothing else to know.
    pub(in super::super) fn is_plain_head(&self) -> bool {
        self.plain() == Plain::Head
    }

    /// Of trailers: the RPC went well, and there is nothing else to know.
    pub(in super::super) fn is_plain_ok(&self) -> bool {
        self.plain() == Plain::Ok
    }

    fn plain(&self) -> Plain {
        match &self.first {
            Some(first) if self.own.is_empty() => first.plain,
            _ => Plain::No,
        }
    }

    #[cfg(test)]
    pub(super) fn shared_part(&self) -> Option<&Arc<Shared>> {
        self.first.as_ref()
    }

    fn shared(&self) -> &[Pair] {
        self.first.as_ref().map_or(&[], |first| &first.fields)
    }
}

impl PartialEq for FieldList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for FieldList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for FieldList {
    type Item = Pair;
    type IntoIter = IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        IntoIter {
            shared: self.first,
            next: 0,
            own: self.own.into_iter(),
        }
    }
}

/// The fields by value.
pub(in super::super) struct IntoIter {
    shared: Option<Arc<Shared>>,
    next: usize,
    own: std::vec::IntoIter<Pair>,
}

impl Iterator for IntoIter {
    type Item = Pair;

    fn next(&mut self) -> Option<Self::Item> {
        let shared = self.shared.as_ref();
        match shared.and_then(|shared| shared.fields.get(self.next)) {
            Some(field) => {
                self.next += 1;
                Some(field.clone())
            }
            None => self.own.next(),
        }
    }
}

/// A field for a reader that copies only what it keeps.
pub(in super::super) enum Lent<'a> {
    Shared(&'a HeaderName, &'a HeaderValue),
    Own(HeaderName, HeaderValue),
}

impl Field for Lent<'_> {
    #[inline]
    fn name(&self) -> &HeaderName {
        match self {
            Self::Shared(name, _) => name,
            Self::Own(name, _) => name,
        }
    }

    #[inline]
    fn value(&self) -> &HeaderValue {
        match self {
            Self::Shared(_, value) => value,
            Self::Own(_, value) => value,
        }
    }

    #[inline]
    fn into_parts(self) -> Pair {
        match self {
            Self::Shared(name, value) => (name.clone(), value.clone()),
            Self::Own(name, value) => (name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(fields: &[(&'static str, &'static str)]) -> Vec<Pair> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn only_what_says_nothing_else_is_plain() {
        const TYPE: (&str, &str) = ("content-type", "application/grpc+proto");
        for (fields, is_plain) in [
            (&[TYPE][..], true),
            (&[TYPE, ("grpc-accept-encoding", "gzip")], true),
            (&[TYPE, ("grpc-encoding", "identity")], true),
            (&[TYPE, ("grpc-encoding", "gzip")], false),
            (&[TYPE, ("tenant", "a")], false),
            (&[("content-type", "text/html")], false),
            (&[("grpc-status", "0")], false),
        ] {
            let shared = Some(Arc::new(Shared::response(pairs(fields))));
            let list = FieldList::new(shared.clone(), Vec::new());
            assert_eq!(list.is_plain_head(), is_plain, "{fields:?}");
            assert!(!list.is_plain_ok());
            let more = FieldList::new(shared, pairs(&[("tenant", "a")]));
            assert!(!more.is_plain_head());
        }
        for (fields, is_plain) in [
            (&[("grpc-status", "0")][..], true),
            (&[("grpc-status", "0"), ("grpc-message", "fine")], true),
            (&[("grpc-status", "0"), ("grpc-status", "1")], false),
            (&[("grpc-status", "0"), ("tenant", "a")], false),
            (&[("grpc-status", "5")], false),
            (&[("grpc-message", "")], false),
        ] {
            let shared = Some(Arc::new(Shared::trailers(pairs(fields))));
            let list = FieldList::new(shared.clone(), Vec::new());
            assert_eq!(list.is_plain_ok(), is_plain, "{fields:?}");
            assert!(!list.is_plain_head());
            let more = FieldList::new(shared, pairs(&[("grpc-status", "5")]));
            assert!(!more.is_plain_ok());
        }
        let shared = Shared::new(None, pairs(&[TYPE]));
        let request = FieldList::new(Some(Arc::new(shared)), Vec::new());
        assert!(!request.is_plain_head() && !request.is_plain_ok());
        assert!(!FieldList::default().is_plain_ok());
    }
}
