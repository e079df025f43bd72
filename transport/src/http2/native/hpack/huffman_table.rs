//! The Huffman code of RFC 7541, appendix B, and what is computed from it while compiling.
//!
//! The code is canonical: ordered by length, and by symbol where lengths are equal, each code is
//! the one before it plus one. So the lengths alone say all of it.
#![expect(
    clippy::indexing_slicing,
    reason = "runs while compiling, where an index out of bounds is a compile error"
)]

/// The length of each symbol's code in bits; the last one is EOS.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // space to slash
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0 to ?
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // @ to O
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // P to _
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // ` to o
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // p to DEL
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
    30,
];

/// The longest code.
pub(super) const LONGEST: u32 = 30;
/// How many bits the first table looks at.
pub(super) const FIRST_BITS: u32 = 9;

/// A symbol's code, in the low bits.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) length: u8,
}

/// By symbol, without EOS.
pub(super) static CODES: [Code; 256] = codes();

/// By the next bits: a symbol and the length of its code, or 0 if the code is longer.
pub(super) static FIRST: [(u8, u8); 1 << FIRST_BITS] = first();

/// All symbols but EOS, in the order of their codes.
pub(super) static ORDER: [u8; 256] = order();

/// The codes of one length, for those that the first table leaves over.
#[derive(Clone, Copy)]
pub(super) struct Long {
    pub(super) length: u32,
    /// The last code of this length, followed by ones to 32 bits.
    pub(super) last: u32,
    /// The first code of this length.
    pub(super) code: u32,
    /// Where its symbol is in the order.
    pub(super) at: u32,
}

/// By length, shortest first; EOS is the last code.
pub(super) static LONG: [Long; 17] = long();

const fn codes() -> [Code; 256] {
    let mut all = [Code { bits: 0, length: 0 }; 256];
    let mut code = 0;
    let mut length = 1;
    while length <= LONGEST as u8 {
        code <<= 1;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] == length {
                if symbol < 256 {
                    all[symbol] = Code { bits: code, length };
                }
                code += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    assert!(code == 1 << LONGEST, "the lengths are not those of a code");
    all
}

const fn first() -> [(u8, u8); 1 << FIRST_BITS] {
    let codes = codes();
    let mut table = [(0, 0); 1 << FIRST_BITS];
    let mut symbol = 0;
    while symbol < 256 {
        let Code { bits, length } = codes[symbol];
        if (length as u32) <= FIRST_BITS {
            let free = FIRST_BITS - length as u32;
            let mut low = 0;
            while low < 1_u32 << free {
                table[((bits << free) | low) as usize] = (symbol as u8, length);
                low += 1;
            }
        }
        symbol += 1;
    }
    table
}

const fn order() -> [u8; 256] {
    let mut all = [0; 256];
    let mut at = 0;
    let mut length = 1;
    while length <= LONGEST as u8 {
        let mut symbol = 0;
        while symbol < 256 {
            if LENGTHS[symbol] == length {
                all[at] = symbol as u8;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    all
}

const fn long() -> [Long; 17] {
    let mut all = [Long {
        length: 0,
        last: 0,
        code: 0,
        at: 0,
    }; 17];
    let mut lengths = 0;
    let mut code = 0;
    let mut at = 0;
    let mut length = 1;
    while length <= LONGEST {
        code <<= 1;
        let mut count = 0;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] as u32 == length {
                count += 1;
            }
            symbol += 1;
        }
        if count > 0 && length > FIRST_BITS {
            let free = 32 - length;
            let last = ((code + count - 1) << free) | ((1 << free) - 1);
            all[lengths] = Long {
                length,
                last,
                code,
                at,
            };
            lengths += 1;
        }
        code += count;
        at += count;
        length += 1;
    }
    assert!(lengths == 17, "another number of lengths");
    all
}
