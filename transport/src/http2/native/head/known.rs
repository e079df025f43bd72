//! Fields of the peer's table that were judged before.

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};

/// How many are remembered. A call of gRPC has six or seven.
const SLOTS: usize = 32;

/// A field that is no fault by itself.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Method(Bytes),
    /// Whether it is https.
    Scheme(bool),
    Path(Bytes),
    Authority(Authority),
    Status(u16),
    /// One that may stand in any head or trailers, and means nothing to HTTP/2.
    Field(HeaderName, HeaderValue),
}

/// What is known by the numbers of table entries, which never mean anything else. An entry takes
/// the place of an older one.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Option<(u64, Known)>>);

impl Memory {
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&Known> {
        match self.0.get(slot(number)) {
            Some(Some((known, field))) if *known == number => Some(field),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, number: u64, field: Known) {
        if self.0.is_empty() {
            self.0.resize(SLOTS, None);
        }
        if let Some(place) = self.0.get_mut(slot(number)) {
            *place = Some((number, field));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

fn slot(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default() % SLOTS
}
