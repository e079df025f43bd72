//! What makes a head or trailers malformed (RFC 9113 §8.1, §8.2, §8.3), by the book.

use std::collections::BTreeSet;

use http::uri::Authority;
use http::{HeaderName, HeaderValue};

use super::blocks::Block;

/// Fields that belong to a connection (RFC 9113 §8.2.2).
const OF_CONNECTION: &[&[u8]] = &[
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

impl Block {
    /// A rule about messages is broken by what is there. What only the length of the body tells is not
    /// looked at, but for that of none.
    pub(super) fn is_malformed(&self, of_client: bool) -> bool {
        let fields = self.fields.as_deref().unwrap_or_default();
        let is_odd = |(name, value): &(Vec<u8>, Vec<u8>)| !is_field(name, value);
        fields.iter().any(is_odd) || self.is_out_of_order(of_client) || self.lengths_are_wrong()
    }

    /// Pseudo-header fields: which there are, how often, and where.
    fn is_out_of_order(&self, of_client: bool) -> bool {
        let fields = self.fields.as_deref().unwrap_or_default();
        let known: &[&[u8]] = match of_client {
            true => &[b":method", b":scheme", b":path", b":authority"],
            false => &[b":status"],
        };
        let mut seen = BTreeSet::new();
        let mut is_regular = false;
        for (name, _) in fields {
            let is_pseudo = name.starts_with(b":");
            let is_new = seen.insert(name.as_slice()) || !is_pseudo;
            if is_pseudo && (is_regular || !known.contains(&name.as_slice()) || !is_new) {
                return true;
            }
            is_regular |= !is_pseudo;
        }
        let wanted = if of_client { 3 } else { 1 };
        let is_whole = known.iter().take(wanted).all(|name| seen.contains(name));
        let has_any = seen.iter().any(|name| name.starts_with(b":"));
        match self.is_further {
            // A client has one head; a server has more before the last one.
            true if of_client => has_any || !self.is_last,
            true => !self.is_open && !is_whole && !self.is_last,
            false => !self.is_open && !is_whole,
        }
    }

    fn lengths_are_wrong(&self) -> bool {
        let fields = self.fields.iter().flatten();
        let lengths = fields.filter(|(name, _)| name == b"content-length");
        let lengths: BTreeSet<_> = lengths.map(|(_, value)| value).collect();
        let is_zero = |value: &&Vec<u8>| value.iter().all(|digit| *digit == b'0');
        lengths.len() > 1 || (self.is_last && !lengths.iter().all(is_zero))
    }
}

fn is_field(name: &[u8], value: &[u8]) -> bool {
    let is_text = HeaderValue::from_bytes(value).is_ok();
    let is_authority = || {
        let parsed = Authority::try_from(value);
        parsed.is_ok() && !value.contains(&b'@')
    };
    let is_token = |text: &[u8]| HeaderName::from_bytes(text).is_ok();
    match name {
        b":method" => is_token(value),
        b":scheme" => {
            let is_rest = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(is_rest)
        }
        b":path" => !value.is_empty() && value.iter().all(u8::is_ascii_graphic),
        b":authority" => is_authority(),
        b":status" => {
            matches!(value, [b'1'..=b'9', rest @ ..] if rest.len() == 2 && rest.iter().all(u8::is_ascii_digit))
        }
        [b':', ..] => false,
        b"te" => value == b"trailers",
        b"host" => value.is_empty() || is_authority(),
        b"content-length" => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
        name if OF_CONNECTION.contains(&name) => false,
        name => HeaderName::from_lowercase(name).is_ok() && is_text,
    }
}
