//! Fields as they are decoded become a head, or the reason why they are none.

use std::ops::Range;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, header};

use super::super::hpack::Sink;
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

/// Takes the fields of one block after the other, and judges each.
///
/// The list's size is counted before a field is copied; what lies beyond the limit is not stored.
/// The first malformation is remembered, and nothing is stored after it either.
#[derive(Debug)]
pub(in super::super) struct HeadBuilder {
    limit: usize,
    size: usize,
    kind: Kind,
    wrong: Option<&'static str>,
    /// A field that is no pseudo-header field was there.
    is_regular: bool,
    method: Option<Range<usize>>,
    https: Option<bool>,
    authority: Option<Range<usize>>,
    path: Option<Range<usize>>,
    host: Option<Range<usize>>,
    status: Option<u16>,
    content_length: Option<u64>,
    /// Values that are not static.
    text: Vec<u8>,
    fields: Vec<(HeaderName, HeaderValue)>,
    /// Which of the fields still want their value, and where it lies.
    wanting: Vec<Wanting>,
}

/// A value of the list that lies in the text.
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
            size: 0,
            kind: Kind::Trailers,
            wrong: None,
            is_regular: false,
            method: None,
            https: None,
            authority: None,
            path: None,
            host: None,
            status: None,
            content_length: None,
            text: Vec::new(),
            fields: Vec::new(),
            wanting: Vec::new(),
        }
    }

    /// The fields that follow are those of one block of this kind.
    pub(in super::super) fn begin(&mut self, kind: Kind) {
        self.size = 0;
        self.kind = kind;
        self.wrong = None;
        self.is_regular = false;
        self.method = None;
        self.https = None;
        self.authority = None;
        self.path = None;
        self.host = None;
        self.status = None;
        self.content_length = None;
        self.text.clear();
        self.fields.clear();
        self.wanting.clear();
        if self.fields.capacity() == 0 {
            self.fields.reserve(TYPICAL_FIELDS);
        }
    }

    /// Gives memory back: the connection is idle.
    pub(in super::super) fn shrink(&mut self) {
        self.text = Vec::new();
        self.fields = Vec::new();
        self.wanting = Vec::new();
    }

    /// The block is so much larger than the limit that it is none of mistake.
    pub(in super::super) const fn is_huge(&self) -> bool {
        self.size / HUGE > self.limit
    }

    /// What the block was.
    pub(in super::super) fn finish(&mut self) -> Outcome {
        match self.judge() {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Malformed(why),
        }
    }

    fn judge(&mut self) -> Result<Outcome, &'static str> {
        if let Some(why) = self.wrong {
            return Err(why);
        }
        let is_large = self.size > self.limit;
        if is_large && self.kind != Kind::Trailers {
            return Ok(Outcome::TooLarge);
        }
        let text = Bytes::copy_from_slice(&self.text);
        for wanting in self.wanting.drain(..) {
            let value = HeaderValue::from_maybe_shared(text.slice(wanting.text));
            let mut value = value.map_err(|_| "control character in a field value")?;
            value.set_sensitive(wanting.is_secret);
            if let Some((_, place)) = self.fields.get_mut(wanting.index) {
                *place = value;
            }
        }
        let fields = FieldList::new(std::mem::take(&mut self.fields));
        let content_length = self.content_length;
        match self.kind {
            Kind::Request => self.request(&text, fields).map(Head::Request),
            Kind::Response => Ok(Head::Response(Response {
                status: self.status.ok_or("no :status")?,
                content_length,
                fields,
            })),
            Kind::Trailers if is_large => return Ok(Outcome::CutTrailers(fields)),
            Kind::Trailers => return Ok(Outcome::Trailers(fields)),
        }
        .map(Outcome::Head)
    }

    fn request(&mut self, text: &Bytes, fields: FieldList) -> Result<Request, &'static str> {
        let method = self.method.take().ok_or("no :method")?;
        let is_https = self.https.ok_or("no :scheme")?;
        let path = self.path.take().ok_or("no :path")?;
        let authority = match self.authority.take() {
            Some(authority) => Some(authority_of(text, authority, ":authority is malformed")?),
            None => None,
        };
        let host = match self.host.take() {
            // Allowed where the target has none (RFC 9110 §7.2).
            Some(host) if host.is_empty() && authority.is_none() => None,
            Some(host) => Some(authority_of(text, host, "host is malformed")?),
            None => None,
        };
        let authority = match (authority, host) {
            (Some(authority), Some(host)) => {
                if !rules::is_same_place(&authority, &host, is_https) {
                    return Err("host is not what :authority says");
                }
                Some(authority)
            }
            (authority, host) => authority.or(host),
        };
        Ok(Request {
            method: match text.get(method.clone()) {
                Some(b"POST") => Bytes::from_static(b"POST"),
                _ => text.slice(method),
            },
            path: text.slice(path),
            authority,
            content_length: self.content_length,
            fields,
        })
    }

    fn take(&mut self, name: &[u8], value: &[u8], never_index: bool) -> Result<(), &'static str> {
        if let Some((b':', pseudo)) = name.split_first() {
            return self.pseudo(pseudo, value);
        }
        self.is_regular = true;
        // What gRPC itself says is no secret, whatever it was encoded as.
        let mut is_secret = false;
        let name = match names::known(name) {
            Some(name) => {
                if name == header::TE && value != b"trailers" {
                    return Err("te other than trailers");
                }
                if let Some(value) = names::known_value(&name, value) {
                    self.fields.push((name, value));
                    return Ok(());
                }
                name
            }
            None => match name {
                b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
                | b"upgrade" => return Err("field that is about a connection"),
                _ => {
                    is_secret = never_index;
                    HeaderName::from_lowercase(name).map_err(|_| "malformed field name")?
                }
            },
        };
        if rules::has_outer_blank(value) && !names::may_have_outer_blanks(&name) {
            return Err("blank at the end of a field value");
        }
        if name == header::CONTENT_LENGTH {
            let length = rules::content_length(value).ok_or("content-length is malformed")?;
            if self.content_length.is_some_and(|other| other != length) {
                return Err("two content-length fields that differ");
            }
            self.content_length = Some(length);
        }
        let text = self.store(value);
        if name == header::HOST && self.kind == Kind::Request {
            let other = self.host.replace(text.clone());
            let is_other = |other: Range<usize>| self.text.get(other) != Some(value);
            if other.is_some_and(is_other) {
                return Err("two host fields that differ");
            }
        }
        self.wanting.push(Wanting {
            index: self.fields.len(),
            text,
            is_secret,
        });
        self.fields.push((name, HeaderValue::from_static("")));
        Ok(())
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if self.is_regular {
            return Err("pseudo-header field after another field");
        }
        match (self.kind, name) {
            (Kind::Request, b"method") => {
                check(rules::is_token(value), ":method is malformed")?;
                let text = self.store(value);
                once(&mut self.method, text, "two :method")
            }
            (Kind::Request, b"scheme") => {
                check(rules::is_scheme(value), ":scheme is malformed")?;
                let is_https = value.eq_ignore_ascii_case(b"https");
                once(&mut self.https, is_https, "two :scheme")
            }
            (Kind::Request, b"path") => {
                check(rules::is_path(value), ":path is malformed")?;
                let text = self.store(value);
                once(&mut self.path, text, "two :path")
            }
            (Kind::Request, b"authority") => {
                let text = self.store(value);
                once(&mut self.authority, text, "two :authority")
            }
            (Kind::Response, b"status") => {
                let status = rules::status(value).ok_or(":status is malformed")?;
                once(&mut self.status, status, "two :status")
            }
            (Kind::Trailers, _) => Err("pseudo-header field in trailers"),
            (Kind::Request | Kind::Response, _) => Err("pseudo-header field that nobody knows"),
        }
    }

    fn store(&mut self, value: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        start..self.text.len()
    }
}

impl Sink for HeadBuilder {
    fn field(&mut self, name: &[u8], value: &[u8], never_index: bool) {
        let size = name.len().saturating_add(value.len());
        self.size = self.size.saturating_add(size).saturating_add(FIELD_BYTES);
        if self.size > self.limit || self.wrong.is_some() {
            return;
        }
        self.wrong = self.take(name, value, never_index).err();
    }
}

fn check(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

fn once<T>(place: &mut Option<T>, value: T, why: &'static str) -> Result<(), &'static str> {
    check(place.replace(value).is_none(), why)
}

fn authority_of(
    text: &Bytes,
    at: Range<usize>,
    why: &'static str,
) -> Result<Authority, &'static str> {
    let authority = Authority::from_maybe_shared(text.slice(at)).map_err(|_| why)?;
    // RFC 9113 §8.3.1: no user information.
    check(!authority.as_str().contains('@'), why)?;
    Ok(authority)
}

#[cfg(test)]
mod tests;
