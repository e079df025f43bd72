//! What single values must look like (RFC 9113 §8, RFC 9110, RFC 3986).

/// Whether all of it may stand in a token (RFC 9110 §5.6.2); an empty one is none.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
            | b'|' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z'
    )
}

/// Whether this can be a `:path`: not empty, and printable (RFC 9113 §8.3.1).
pub(super) fn is_path(value: &[u8]) -> bool {
    // Without a way out in the middle many bytes are looked at together.
    let graphic = |all: bool, byte: &u8| all & byte.is_ascii_graphic();
    !value.is_empty() && value.iter().fold(true, graphic)
}

/// Whether this is a scheme (RFC 3986 §3.1).
pub(super) fn is_scheme(value: &[u8]) -> bool {
    let rest = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(rest)
}

/// A number of bytes: digits and nothing else (RFC 9110 §8.6).
pub(super) fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Three digits of a status that exists: 100 to 999 (RFC 9110 §15).
pub(super) fn status(value: &[u8]) -> Option<u16> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let [hundreds, tens, ones] = value else {
        return None;
    };
    let number = digit(hundreds)? * 100 + digit(tens)? * 10 + digit(ones)?;
    (number >= 100).then_some(number)
}
