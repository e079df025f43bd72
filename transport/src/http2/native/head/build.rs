//! Fields as they are decoded become a head, or the reason why they are none.

mod pseudo;

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, header};

use super::super::hpack::Sink;
use super::cache::{Beginnings, Mark};
use super::fields::{Pair, Shared};
use super::judge::{Fault, MALFORMED_NAME, OTHER_TE, checked, judged};
use super::known::Memory;
use super::request::Aim;
use super::{FieldList, Head, Request, Response, names, rules};

/// What a header block is, which its stream's state tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Request,
    Response,
    Trailers,
}

/// What has become of a header block.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Outcome {
    Head(Head),
    Trailers(FieldList),
    /// Which rule of RFC 9113 §8 it breaks: an error of its stream.
    Malformed(&'static str),
    /// Larger than our SETTINGS_MAX_HEADER_LIST_SIZE.
    TooLarge,
    /// Trailers that are: those fields up to the limit, among which the status may be.
    CutTrailers(FieldList),
}

/// How many times the limit a block may be until nobody believes in a mistake.
const HUGE: usize = 16;

/// What HTTP/2 counts for a field besides its name and value (RFC 9113 §6.5.2).
const FIELD_BYTES: usize = 32;

/// Fields of a typical request.
const TYPICAL_FIELDS: usize = 6;

/// Values of several heads lie in one allocation of this size.
const TEXT_BYTES: usize = 1_024;

/// Longer fields are not remembered.
const REMEMBERED_BYTES: usize = 256;

const NO_VALUE: HeaderValue = HeaderValue::from_static("");

/// Takes the fields of one block after the other, and judges each.
///
/// The list's size is counted before a field is copied; what lies beyond the limit is not stored.
/// The first malformation is remembered, and nothing is stored after it either. What lies in the
/// peer's table is judged once.
#[derive(Debug)]
pub(in super::super) struct HeadBuilder {
    limit: usize,
    memory: Memory,
    pub(super) beginnings: Beginnings,
    /// The fields before those below, which other heads have as well.
    first: Option<Arc<Shared>>,
    size: usize,
    kind: Kind,
    wrong: Option<Fault>,
    /// A field that is no pseudo-header field was there.
    is_regular: bool,
    method: Option<Text<Bytes>>,
    https: Option<bool>,
    path: Option<Text<Bytes>>,
    authority: Option<Text<Authority>>,
    host: Option<Range<usize>>,
    status: Option<u16>,
    content_length: Option<u64>,
    /// Values that are neither static nor known. Those of earlier heads are split off.
    text: BytesMut,
    fields: Vec<Pair>,
    wanting: Vec<Wanting>,
}

/// A value as it lies in the text, or as it is known.
#[derive(Debug)]
enum Text<T> {
    At(Range<usize>),
    Is(T),
}

/// A field whose value still lies in the text.
#[derive(Debug)]
struct Wanting {
    index: usize,
    text: Range<usize>,
    is_secret: bool,
}

impl HeadBuilder {
    /// `limit` is our SETTINGS_MAX_HEADER_LIST_SIZE.
    pub(in super::super) fn new(limit: u32) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            memory: Memory::default(),
            beginnings: Beginnings::default(),
            first: None,
            size: 0,
            kind: Kind::Trailers,
            wrong: None,
            is_regular: false,
            method: None,
            https: None,
            path: None,
            authority: None,
            host: None,
            status: None,
            content_length: None,
            text: BytesMut::new(),
            fields: Vec::new(),
            wanting: Vec::new(),
        }
    }

    /// The fields that follow are those of one block of this kind.
    pub(in super::super) fn begin(&mut self, kind: Kind) {
        self.first = None;
        self.size = 0;
        self.kind = kind;
        self.wrong = None;
        self.is_regular = false;
        self.method = None;
        self.https = None;
        self.path = None;
        self.authority = None;
        self.host = None;
        self.status = None;
        self.content_length = None;
        self.text.clear();
        self.fields.clear();
        self.wanting.clear();
    }

    /// Gives memory back: the connection is idle.
    pub(in super::super) fn shrink(&mut self) {
        self.memory.clear();
        self.beginnings.clear();
        self.text = BytesMut::new();
        self.fields = Vec::new();
        self.wanting = Vec::new();
    }

    /// The block is so much larger than the limit that it is none of mistake.
    pub(in super::super) const fn is_huge(&self) -> bool {
        self.size / HUGE > self.limit
    }

    /// What the block was.
    pub(in super::super) fn finish(&mut self) -> Outcome {
        if let Some(why) = self.wrong {
            return Outcome::Malformed(why);
        }
        let is_large = self.size > self.limit;
        let head = match self.kind {
            Kind::Request | Kind::Response if is_large => return Outcome::TooLarge,
            Kind::Request => self.request().map(Head::Request),
            Kind::Response => self.response().map(Head::Response),
            Kind::Trailers => {
                let text = self.split_text();
                return match self.list(&text) {
                    Ok(fields) if is_large => Outcome::CutTrailers(fields),
                    Ok(fields) => Outcome::Trailers(fields),
                    Err(why) => Outcome::Malformed(why),
                };
            }
        };
        head.map_or_else(Outcome::Malformed, Outcome::Head)
    }

    /// Goes on behind the first fields of a block, which are known.
    pub(super) fn resume(
        &mut self,
        kind: Kind,
        size: usize,
        status: Option<u16>,
        first: Arc<Shared>,
    ) {
        self.begin(kind);
        self.size = size;
        self.status = status;
        self.first = Some(first);
        self.is_regular = true;
    }

    /// What the fields so far are, if all pseudo-header fields are among them, so that others may
    /// begin with them. None may be one that is compared with later ones. After a fault the block
    /// has to be read anew.
    pub(super) fn mark(&mut self) -> Result<Option<Mark>, Fault> {
        let is_whole = match self.kind {
            Kind::Request => self.method.is_some() && self.https.is_some() && self.path.is_some(),
            Kind::Response => self.status.is_some(),
            Kind::Trailers => true,
        };
        let is_free = self.host.is_none() && self.content_length.is_none();
        let is_good = self.wrong.is_none() && self.size <= self.limit;
        if !(is_whole && is_free && is_good && self.is_regular && self.first.is_none()) {
            return Ok(None);
        }
        let (kind, size, status) = (self.kind, self.size, self.status);
        let text = self.split_text();
        let target = match kind {
            Kind::Request => self.target(&text).map(Some),
            Kind::Response | Kind::Trailers => Ok(None),
        };
        let (target, fields) = (target?, self.list(&text)?.into_own());
        let shared = Arc::new(match kind {
            Kind::Request => Shared::new(target, fields),
            Kind::Response => Shared::response(fields),
            Kind::Trailers => Shared::trailers(fields),
        });
        self.resume(kind, size, status, Arc::clone(&shared));
        Ok(Some(Mark {
            size,
            status,
            shared,
        }))
    }

    fn request(&mut self) -> Result<Request, Fault> {
        let text = self.split_text();
        let aim = match &self.first {
            None => Aim::Own(Box::new(self.target(&text)?)),
            Some(first) => match (self.host.take(), &first.target) {
                (host @ Some(_), Some(target)) if target.authority.is_none() => {
                    Aim::Own(Box::new(target.clone().or_host(host, &text)?))
                }
                _ => Aim::Shared(Arc::clone(first)),
            },
        };
        let fields = self.list(&text)?;
        Ok(Request::new(aim, self.content_length, fields))
    }

    fn response(&mut self) -> Result<Response, Fault> {
        let text = self.split_text();
        Ok(Response {
            status: self.status.ok_or("no :status")?,
            content_length: self.content_length,
            fields: self.list(&text)?,
        })
    }

    fn list(&mut self, text: &Bytes) -> Result<FieldList, Fault> {
        for wanting in self.wanting.drain(..) {
            let mut value = checked(text.slice(wanting.text))?;
            value.set_sensitive(wanting.is_secret);
            if let Some((_, place)) = self.fields.get_mut(wanting.index) {
                *place = value;
            }
        }
        let own = std::mem::take(&mut self.fields);
        Ok(FieldList::new(self.first.take(), own))
    }

    /// Whether the field is to be looked at.
    #[inline]
    fn counts(&mut self, name: &[u8], value: &[u8]) -> bool {
        let size = name.len().saturating_add(value.len());
        self.size = self.size.saturating_add(size).saturating_add(FIELD_BYTES);
        self.size <= self.limit && self.wrong.is_none()
    }

    fn take(&mut self, name: &[u8], value: &[u8], never_index: bool) -> Result<(), Fault> {
        match name {
            [b':', name @ ..] => self.pseudo(name, value),
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Err("field that is about a connection"),
            b"host" => {
                let place = self.push(header::HOST, value, never_index)?;
                // The first one counts.
                self.host.get_or_insert(place);
                Ok(())
            }
            b"content-length" => {
                let length = rules::content_length(value).ok_or("content-length is malformed")?;
                if self.content_length.is_some_and(|other| other != length) {
                    return Err("two content-length fields that differ");
                }
                self.content_length = Some(length);
                self.push(header::CONTENT_LENGTH, value, never_index)?;
                Ok(())
            }
            b"te" if value != b"trailers" => Err(OTHER_TE),
            _ => match names::known(name) {
                Some(name) => match names::known_value(value) {
                    Some(value) => {
                        self.add(name, value);
                        Ok(())
                    }
                    // What gRPC itself says is no secret, whatever it was encoded as.
                    None => self.push(name, value, false).map(|_| ()),
                },
                None => {
                    let name = HeaderName::from_lowercase(name).map_err(|_| MALFORMED_NAME)?;
                    self.push(name, value, never_index).map(|_| ())
                }
            },
        }
    }

    fn push(
        &mut self,
        name: HeaderName,
        value: &[u8],
        is_secret: bool,
    ) -> Result<Range<usize>, Fault> {
        let text = self.store(value);
        self.wanting.push(Wanting {
            index: self.fields.len(),
            text: text.clone(),
            is_secret,
        });
        self.add(name, NO_VALUE);
        Ok(text)
    }

    #[inline]
    fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.is_regular = true;
        if self.fields.capacity() == 0 {
            // Behind known ones there is a timeout, if anything.
            let typical = if self.first.is_some() {
                1
            } else {
                TYPICAL_FIELDS
            };
            self.fields.reserve_exact(typical);
        }
        self.fields.push((name, value));
    }

    /// The text of this block; what follows is another's.
    fn split_text(&mut self) -> Bytes {
        if self.text.is_empty() {
            return Bytes::new();
        }
        self.text.split().freeze()
    }

    fn store(&mut self, value: &[u8]) -> Range<usize> {
        if self.text.capacity() == 0 {
            self.text.reserve(TEXT_BYTES);
        }
        let start = self.text.len();
        self.text.extend_from_slice(value);
        start..self.text.len()
    }
}

impl Sink for HeadBuilder {
    fn field(&mut self, name: &[u8], value: &[u8], never_index: bool) {
        if self.counts(name, value) {
            self.wrong = self.take(name, value, never_index).err();
        }
    }

    fn indexed(&mut self, number: u64, name: &[u8], value: &[u8]) {
        if !self.counts(name, value) {
            return;
        }
        let done = self.remembered(number).or_else(|| {
            if name.len() + value.len() > REMEMBERED_BYTES {
                return None;
            }
            let known = judged(name, value)?;
            self.memory.put(number, known);
            self.remembered(number)
        });
        self.wrong = done.unwrap_or_else(|| self.take(name, value, false)).err();
    }
}

#[cfg(test)]
mod tests;
