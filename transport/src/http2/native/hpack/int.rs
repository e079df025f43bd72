//! Integers with a prefix (RFC 7541 §5.1).

use super::HpackError;

const CUT: HpackError = HpackError("HPACK: block ends inside an integer");
const TOO_LONG: HpackError = HpackError("HPACK: integer of more than five octets");

/// Reads the integer that starts in the bits `mask` of `first`; `rest` is what follows `first`.
///
/// It may take five octets in all, so what comes out is below 2^29: more than any index, size or
/// length that can be right.
#[inline]
pub(super) fn decode(first: u8, mask: u8, rest: &mut &[u8]) -> Result<u32, HpackError> {
    let value = first & mask;
    if value < mask {
        return Ok(u32::from(value));
    }
    decode_long(mask, rest)
}

fn decode_long(mask: u8, rest: &mut &[u8]) -> Result<u32, HpackError> {
    let mut value = u32::from(mask);
    for shift in [0, 7, 14, 21] {
        let [octet, after @ ..] = *rest else {
            return Err(CUT);
        };
        *rest = after;
        value += u32::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(TOO_LONG)
}

/// Writes an integer into the bits `mask` of an octet whose other bits are `flags`, and on.
#[inline]
pub(super) fn encode(value: usize, mask: u8, flags: u8, out: &mut Vec<u8>) {
    match u8::try_from(value) {
        Ok(value) if value < mask => out.push(flags | value),
        _ => encode_long(value.saturating_sub(usize::from(mask)), flags | mask, out),
    }
}

fn encode_long(mut left: usize, first: u8, out: &mut Vec<u8>) {
    out.push(first);
    loop {
        let [low, ..] = left.to_le_bytes();
        left >>= 7;
        if left == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 C.1.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (value, mask, octets) in [
            (10, 0x1f, &[0x0a][..]),
            (1337, 0x1f, &[0x1f, 0x9a, 0x0a]),
            (42, 0xff, &[0x2a]),
        ] {
            let mut out = Vec::new();
            encode(value, mask, 0, &mut out);
            assert_eq!(out, octets);
        }
    }

    #[test]
    fn what_is_written_is_read_whatever_the_prefix() {
        for bits in 1..=8_u32 {
            let mask = u8::MAX >> (8 - bits);
            let around = (0..28).flat_map(|shift| {
                let power = 1_u32 << shift;
                [power.saturating_sub(1), power, power + 1]
            });
            for value in around.chain([u32::from(mask), u32::from(mask) + (1 << 28) - 1]) {
                let mut out = Vec::new();
                encode(usize::try_from(value).unwrap(), mask, !mask, &mut out);
                let (first, mut rest) = out.split_first().unwrap();
                assert_eq!(first & !mask, !mask, "the other bits are kept");
                assert_eq!(decode(*first, mask, &mut rest), Ok(value));
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn five_octets_are_the_most() {
        let mut longest = &[0x80, 0x80, 0x80, 0x00, 0x55][..];
        assert_eq!(decode(0x7f, 0x7f, &mut longest), Ok(0x7f));
        assert_eq!(longest, [0x55]);
        let mut longer = &[0x80, 0x80, 0x80, 0x80, 0x00][..];
        assert_eq!(decode(0x7f, 0x7f, &mut longer), Err(TOO_LONG));
        let mut endless = &[0xff; 64][..];
        assert_eq!(decode(0x7f, 0x7f, &mut endless), Err(TOO_LONG));
        let mut cut = &[0x80, 0x80][..];
        assert_eq!(decode(0x7f, 0x7f, &mut cut), Err(CUT));
        assert_eq!(decode(0x7f, 0x7f, &mut &[][..]), Err(CUT));
    }
}
