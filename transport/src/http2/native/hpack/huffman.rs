//! Strings in Huffman code (RFC 7541 §5.2).

use std::slice::IterMut;

use super::HpackError;
use super::huffman_table::{CODES, Code, FIRST, FIRST_BITS, LONG, LONGEST, ORDER};

const EOS: HpackError = HpackError("HPACK: Huffman code of EOS");
const PADDING: HpackError = HpackError("HPACK: Huffman padding is not a short run of ones");

/// How many octets a text takes in Huffman code.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits = text.iter().map(|octet| usize::from(code(*octet).length));
    bits.sum::<usize>().div_ceil(8)
}

pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(text) + 4);
    // The lower `count` bits of `bits` wait to be written: at most 31, and a code has at most 30.
    let mut bits = 0_u64;
    let mut count = 0_u32;
    for octet in text {
        let code = code(*octet);
        bits = (bits << code.length) | u64::from(code.bits);
        count += u32::from(code.length);
        if count >= 32 {
            count -= 32;
            let [.., a, b, c, d] = (bits >> count).to_be_bytes();
            out.extend_from_slice(&[a, b, c, d]);
        }
    }
    let padding = count.next_multiple_of(8) - count;
    bits = (bits << padding) | ((1 << padding) - 1);
    count += padding;
    while count > 0 {
        count -= 8;
        let [.., octet] = (bits >> count).to_be_bytes();
        out.push(octet);
    }
}

fn code(octet: u8) -> Code {
    let none = Code { bits: 0, length: 0 };
    CODES.get(usize::from(octet)).copied().unwrap_or(none)
}

/// Reads a text into `out`, which loses what it held.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    // No code is shorter than five bits. The text is here, so this is not a length only claimed.
    let most = text.len() * 8 / 5;
    if out.len() < most {
        out.resize(most, 0);
    }
    let mut places = out.iter_mut();
    let left = decode_into(text, &mut places)?;
    let length = out.len() - left;
    out.truncate(length);
    Ok(())
}

/// How many places are left over.
fn decode_into(mut text: &[u8], places: &mut IterMut<'_, u8>) -> Result<usize, HpackError> {
    // The upper `count` bits of `bits` were read and not yet decoded, the others are zeros.
    let mut bits = 0_u64;
    let mut count = 0_u32;
    while let Some((four, rest)) = text.split_first_chunk::<4>() {
        bits |= u64::from(u32::from_be_bytes(*four)) << (32 - count);
        count += 32;
        text = rest;
        while count >= LONGEST {
            let (symbol, length) = symbol(bits)?;
            put(symbol, places)?;
            bits <<= length;
            count -= length;
        }
    }
    for octet in text {
        bits |= u64::from(*octet) << (56 - count);
        count += 8;
    }
    // What follows the text are ones: padding is their beginning.
    bits |= u64::MAX.checked_shr(count).unwrap_or(0);
    while count >= 8 || bits != u64::MAX {
        let (symbol, length) = symbol(bits)?;
        count = count.checked_sub(length).ok_or(PADDING)?;
        put(symbol, places)?;
        bits = (bits << length) | ((1 << length) - 1);
    }
    Ok(places.len())
}

#[inline]
fn put(symbol: u8, places: &mut IterMut<'_, u8>) -> Result<(), HpackError> {
    // There is one for each symbol that the text can have.
    *places.next().ok_or(PADDING)? = symbol;
    Ok(())
}

/// The symbol whose code the upper bits begin with, and its length.
#[inline]
fn symbol(bits: u64) -> Result<(u8, u32), HpackError> {
    let [high, low, ..] = bits.to_be_bytes();
    let index = usize::from(u16::from_be_bytes([high, low]) >> (16 - FIRST_BITS));
    match FIRST.get(index) {
        Some((symbol, length)) if *length != 0 => Ok((*symbol, u32::from(*length))),
        _ => long_symbol(bits),
    }
}

/// The same for codes of over nine bits. They are rare in what gRPC sends, and four octets of input
/// pay for the longest search, so it needs no tables of its own.
#[cold]
fn long_symbol(bits: u64) -> Result<(u8, u32), HpackError> {
    let [a, b, c, d, ..] = bits.to_be_bytes();
    let bits = u32::from_be_bytes([a, b, c, d]);
    let long = LONG.iter().find(|long| bits <= long.last).ok_or(EOS)?;
    let after = (bits >> (32 - long.length)).wrapping_sub(long.code);
    let place = usize::try_from(long.at.wrapping_add(after)).map_err(|_| EOS)?;
    let symbol = ORDER.get(place).ok_or(EOS)?;
    Ok((*symbol, long.length))
}

#[cfg(test)]
mod tests;
