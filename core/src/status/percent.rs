//! The percent-encoding of `grpc-message`.
//!
//! Source: gRPC over HTTP/2, "Percent-Encoded". Beyond it, a space at either end is encoded too,
//! because HTTP/2 forbids field values to begin or end with one.

/// Whether this byte goes out as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'%'
}

/// Whether the text is its own encoding.
pub(super) fn is_plain_text(text: &str) -> bool {
    text.bytes().all(is_plain) && !text.starts_with(' ') && !text.ends_with(' ')
}

/// How many bytes of encoding this character takes, at most.
fn cost(character: char) -> usize {
    match u8::try_from(character) {
        Ok(byte) if is_plain(byte) && byte != b' ' => 1,
        _ => character.len_utf8() * 3,
    }
}

/// The longest part of the text, from its start, whose encoding surely fits `limit` bytes.
pub(super) fn fitting(text: &str, limit: usize) -> &str {
    let mut left = limit;
    for (index, character) in text.char_indices() {
        match left.checked_sub(cost(character)) {
            Some(rest) => left = rest,
            None => return text.get(..index).unwrap_or(text),
        }
    }
    text
}

/// Appends the encoding of the text.
pub(super) fn encode(text: &str, out: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        let outer_space = byte == b' ' && (index == 0 || index == last);
        if is_plain(byte) && !outer_space {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
            out.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}

/// The text of an encoding. Never fails: a broken escape stays as it is, broken UTF-8 becomes
/// U+FFFD.
pub(super) fn decode(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => hex(*high)
                .zip(hex(*low))
                .map(|(high, low)| (high << 4 | low, behind)),
            _ => None,
        };
        let (byte, behind) = escaped.unwrap_or((byte, behind));
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
