//! Fields in their order, as they are read once.

use http::{HeaderName, HeaderValue};

/// The fields of a head or of trailers in their order, without pseudo-header fields.
///
/// Names that gRPC uses cost nothing; all values are slices of one buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct FieldList(Vec<(HeaderName, HeaderValue)>);

impl FieldList {
    pub(super) const fn new(fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self(fields)
    }

    pub(in super::super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl IntoIterator for FieldList {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
