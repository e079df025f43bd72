//! The head of a request: where it goes, and how long it may take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use trunkline_core::CompressorRegistry;
use trunkline_core::protocol::{Reject, RequestFields, RequestReader};

use super::FieldList;
use super::fields::{Pair, Shared, Target};

/// The target of one request.
#[derive(Clone)]
pub(super) enum Aim {
    /// Boxed, since it is rare once its like has come before: most heads are moved without.
    Own(Box<Target>),
    /// The target of these.
    Shared(Arc<Shared>),
}

/// The head of a request.
#[derive(Clone)]
pub(in super::super) struct Request {
    aim: Aim,
    pub(in super::super) content_length: Option<u64>,
    pub(in super::super) fields: FieldList,
}

impl Request {
    pub(super) const fn new(aim: Aim, content_length: Option<u64>, fields: FieldList) -> Self {
        Self {
            aim,
            content_length,
            fields,
        }
    }

    /// The `:method`.
    pub(in super::super) fn method(&self) -> &str {
        match self.target().map(|target| &target.method[..]) {
            Some(b"POST") => "POST",
            method => std::str::from_utf8(method.unwrap_or_default()).unwrap_or_default(),
        }
    }

    /// The `:path` as it came: not empty; printable ASCII.
    pub(in super::super) fn path(&self) -> &str {
        std::str::from_utf8(self.path_octets()).unwrap_or_default()
    }

    /// The same, not looked at once more.
    #[inline]
    pub(in super::super) fn path_octets(&self) -> &[u8] {
        let path = self.target().map(|target| &target.path[..]);
        path.unwrap_or_default()
    }

    /// Takes the fields and reads them; what is shared is read once.
    pub(in super::super) fn read(
        &mut self,
        known: &CompressorRegistry,
    ) -> Result<RequestFields, Reject> {
        let FieldList { first, own } = std::mem::take(&mut self.fields);
        let mut reader = match first {
            Some(first) => first.reader(known),
            None => RequestReader::new(known),
        };
        for field in own {
            reader.take(field);
        }
        reader.finish(self.method())
    }

    /// Its `grpc-timeout`, if it says one below a tenth of a second.
    pub(in super::super) fn short_timeout(&self) -> Option<Duration> {
        let fields = &self.fields;
        let first = fields.first.as_ref().and_then(|first| first.timeout);
        first.or_else(|| short_timeout(&fields.own))
    }

    /// The `:authority`, or `host` where that is missing.
    pub(in super::super) fn authority(&self) -> Option<&Authority> {
        self.target()?.authority.as_ref()
    }

    #[inline]
    pub(super) fn target(&self) -> Option<&Target> {
        match &self.aim {
            Aim::Own(target) => Some(target),
            Aim::Shared(shared) => shared.target.as_ref(),
        }
    }
}

/// What these fields say of a timeout below a tenth of a second. By its length alone most are
/// longer: eight digits are all that it may have.
pub(super) fn short_timeout(fields: &[Pair]) -> Option<Duration> {
    let is_timeout = |(name, _): &&Pair| name.as_str() == "grpc-timeout";
    let (_, value) = fields.iter().find(is_timeout)?;
    let (unit, digits) = value.as_bytes().split_last()?;
    let (unit, most) = match unit {
        b'm' => (Duration::from_millis(1), 2),
        b'u' => (Duration::from_micros(1), 5),
        b'n' => (Duration::from_nanos(1), 8),
        _ => return None,
    };
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    let number = digits.iter().try_fold(0, |number: u32, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(number * 10 + digit)
    });
    number.map(|number| unit * number)
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.target() == other.target()
            && self.content_length == other.content_length
            && self.fields == other.fields
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("target", &self.target())
            .field("content_length", &self.content_length)
            .field("fields", &self.fields)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_short_timeouts_are_told() {
        const MICRO: Duration = Duration::from_micros(1);
        for (text, expected) in [
            ("1n", Some(MICRO / 1_000)),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("20000u", Some(20_000 * MICRO)),
            ("7m", Some(7_000 * MICRO)),
            ("0m", Some(Duration::ZERO)),
            ("100m", None),
            ("100000u", None),
            ("999999999n", None),
            ("1S", None),
            ("5", None),
            ("m", None),
            ("", None),
            ("+5m", None),
            ("5x", None),
        ] {
            let name = HeaderName::from_static("grpc-timeout");
            let fields = [(name, HeaderValue::from_static(text))];
            assert_eq!(short_timeout(&fields), expected, "{text:?}");
        }
        let other = HeaderName::from_static("x-timeout");
        assert_eq!(
            short_timeout(&[(other, HeaderValue::from_static("1m"))]),
            None
        );
    }
}
