//! The fields that begin with a colon (RFC 9113 §8.3): which may stand where, and what they say.

use std::ops::Range;

use bytes::Bytes;
use http::uri::Authority;

use super::super::fields::Target;
use super::super::judge::{
    Fault, MALFORMED_AUTHORITY, MALFORMED_METHOD, MALFORMED_PATH, MALFORMED_SCHEME,
    MALFORMED_STATUS, POST, UNKNOWN_PSEUDO, authority, check, host_alone, once,
};
use super::super::known::Known;
use super::super::rules;
use super::{HeadBuilder, Kind, Text};

impl HeadBuilder {
    pub(super) fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        match name {
            b"method" => {
                check(rules::is_token(value), MALFORMED_METHOD)?;
                let text = match value {
                    b"POST" => Text::Is(POST),
                    other => Text::At(self.store(other)),
                };
                self.method(text)
            }
            b"scheme" => {
                check(rules::is_scheme(value), MALFORMED_SCHEME)?;
                self.scheme(value.eq_ignore_ascii_case(b"https"))
            }
            b"path" => {
                check(rules::is_path(value), MALFORMED_PATH)?;
                let text = self.store(value);
                self.path(Text::At(text))
            }
            b"authority" => {
                let text = self.store(value);
                self.authority(Text::At(text))
            }
            b"status" => self.status(rules::status(value).ok_or(MALFORMED_STATUS)?),
            _ => Err(UNKNOWN_PSEUDO),
        }
    }

    fn method(&mut self, text: Text<Bytes>) -> Result<(), Fault> {
        self.may_come(Kind::Request)?;
        once(&mut self.method, text, "two :method")
    }

    fn scheme(&mut self, is_https: bool) -> Result<(), Fault> {
        self.may_come(Kind::Request)?;
        once(&mut self.https, is_https, "two :scheme")
    }

    fn path(&mut self, text: Text<Bytes>) -> Result<(), Fault> {
        self.may_come(Kind::Request)?;
        once(&mut self.path, text, "two :path")
    }

    fn authority(&mut self, text: Text<Authority>) -> Result<(), Fault> {
        self.may_come(Kind::Request)?;
        once(&mut self.authority, text, "two :authority")
    }

    fn status(&mut self, status: u16) -> Result<(), Fault> {
        self.may_come(Kind::Response)?;
        once(&mut self.status, status, "two :status")
    }

    /// Whether a pseudo-header field of this kind of block may stand here.
    #[inline]
    fn may_come(&self, kind: Kind) -> Result<(), Fault> {
        match self.kind {
            _ if self.is_regular => Err("pseudo-header field after another field"),
            Kind::Trailers => Err("pseudo-header field in trailers"),
            own if own == kind => Ok(()),
            Kind::Request | Kind::Response => Err(UNKNOWN_PSEUDO),
        }
    }

    #[inline]
    pub(super) fn remembered(&mut self, number: u64) -> Option<Result<(), Fault>> {
        match number {
            static_entry::METHOD_POST => return Some(self.method(Text::Is(POST))),
            static_entry::SCHEME_HTTP => return Some(self.scheme(false)),
            static_entry::SCHEME_HTTPS => return Some(self.scheme(true)),
            static_entry::STATUS_200 => return Some(self.status(200)),
            _ => {}
        }
        Some(match self.memory.get(number)? {
            Known::Field(name, value) => {
                let (name, value) = (name.clone(), value.clone());
                self.add(name, value);
                Ok(())
            }
            Known::Method(method) => {
                let method = method.clone();
                self.method(Text::Is(method))
            }
            Known::Path(path) => {
                let path = path.clone();
                self.path(Text::Is(path))
            }
            Known::Authority(authority) => {
                let authority = authority.clone();
                self.authority(Text::Is(authority))
            }
            Known::Scheme(is_https) => {
                let is_https = *is_https;
                self.scheme(is_https)
            }
            Known::Status(status) => {
                let status = *status;
                self.status(status)
            }
        })
    }

    pub(super) fn target(&mut self, text: &Bytes) -> Result<Target, Fault> {
        let method = self.method.take().ok_or("no :method")?;
        self.https.ok_or("no :scheme")?;
        let path = self.path.take().ok_or("no :path")?;
        let authority = match self.authority.take() {
            Some(Text::At(place)) => Some(authority(text.slice(place), MALFORMED_AUTHORITY)?),
            Some(Text::Is(authority)) => Some(authority),
            None => None,
        };
        let target = Target {
            method: method.of(text),
            path: path.of(text),
            authority,
        };
        target.or_host(self.host.take(), text)
    }
}

/// Entries of the static table by their numbers (RFC 7541 appendix A).
pub(super) mod static_entry {
    pub(in super::super) const METHOD_POST: u64 = 3;
    pub(in super::super) const SCHEME_HTTP: u64 = 6;
    pub(in super::super) const SCHEME_HTTPS: u64 = 7;
    pub(in super::super) const STATUS_200: u64 = 8;
}

impl Target {
    /// The same with the host as its authority, if it has none. Where both are, `:authority` counts
    /// (RFC 9113 §8.3.1).
    pub(super) fn or_host(
        mut self,
        host: Option<Range<usize>>,
        text: &Bytes,
    ) -> Result<Self, Fault> {
        if let (None, Some(host)) = (&self.authority, host) {
            self.authority = host_alone(text.slice(host))?;
        }
        Ok(self)
    }
}

impl Text<Bytes> {
    fn of(self, text: &Bytes) -> Bytes {
        match self {
            Self::At(place) => text.slice(place),
            Self::Is(value) => value,
        }
    }
}
