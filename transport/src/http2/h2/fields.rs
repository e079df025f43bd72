//! Header blocks as core speaks of them, in and out of h2's maps; and messages of any size.

use bytes::Bytes;
use h2::SendStream;
use http::header::{HeaderMap, HeaderName, HeaderValue, IntoIter};

/// Collects fields for h2, which wants a map.
#[derive(Default)]
pub(super) struct Fields(HeaderMap);

impl Fields {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(HeaderMap::with_capacity(capacity))
    }

    pub(super) fn sink(&mut self) -> impl FnMut(HeaderName, HeaderValue) {
        |name, value| {
            self.0.append(name, value);
        }
    }

    pub(super) fn into_map(self) -> HeaderMap {
        self.0
    }
}

/// The most that h2 takes at once is 2 GiB; a message may have 4.
const LARGEST_CHUNK: usize = 1 << 30;

/// Hands over a chunk of any size.
pub(super) fn send_chunk(
    send: &mut SendStream<Bytes>,
    mut chunk: Bytes,
    end_of_stream: bool,
) -> Result<(), h2::Error> {
    while chunk.len() > LARGEST_CHUNK {
        send.send_data(chunk.split_to(LARGEST_CHUNK), false)?;
    }
    send.send_data(chunk, end_of_stream)
}

/// A response head: gRPC knows only HTTP status 200.
pub(super) fn response(fields: Fields) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.headers_mut() = fields.into_map();
    response
}

/// The fields of a map one by one, a repeated name given each time.
pub(super) fn iter(map: HeaderMap) -> FieldIter {
    FieldIter {
        inner: map.into_iter(),
        last: None,
    }
}

/// Iterator of [`iter`].
#[derive(Debug)]
pub(super) struct FieldIter {
    inner: IntoIter<HeaderValue>,
    last: Option<HeaderName>,
}

impl Iterator for FieldIter {
    type Item = (HeaderName, HeaderValue);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.inner.next()?;
        // A map names a repeated field once, at its first value.
        if let Some(name) = name {
            self.last = Some(name);
        }
        let name = self.last.clone()?;
        Some((name, value))
    }
}
