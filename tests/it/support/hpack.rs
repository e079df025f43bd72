//! Header blocks: written as literals, read whatever the peer's encoder chose (RFC 7541).

use std::collections::VecDeque;

/// How a field is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) table: Table,
    pub(crate) huffman: bool,
}

/// What becomes of a field that is written in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Table {
    /// It stays out of the table.
    #[default]
    Without,
    /// It goes into the table.
    Incremental,
    /// It stays out, here and at every hop.
    Never,
}

/// Appends a field, unchecked: a test may send what no client would.
pub(crate) fn write_field(block: &mut Vec<u8>, form: Form, name: &[u8], value: &[u8]) {
    block.push(match form.table {
        Table::Without => 0,
        Table::Incremental => 0x40,
        Table::Never => 0x10,
    });
    for text in [name, value] {
        if form.huffman {
            let coded = encode(text);
            write_integer(block, 0x80, 7, coded.len());
            block.extend(coded);
        } else {
            write_integer(block, 0, 7, text.len());
            block.extend_from_slice(text);
        }
    }
}

/// Appends a field that a table holds.
pub(crate) fn write_index(block: &mut Vec<u8>, index: usize) {
    write_integer(block, 0x80, 7, index);
}

/// Appends a change of the dynamic table's size.
pub(crate) fn write_resize(block: &mut Vec<u8>, bytes: usize) {
    write_integer(block, 0x20, 5, bytes);
}

/// An integer behind these first bits (RFC 7541 §5.1).
fn write_integer(block: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let mask = (1_usize << prefix) - 1;
    if value < mask {
        block.push(first | value as u8);
        return;
    }
    block.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        block.push((rest % 0x80) as u8 | 0x80);
        rest /= 0x80;
    }
    block.push(rest as u8);
}

/// HPACK's Huffman code, filled up with ones.
fn encode(text: &[u8]) -> Vec<u8> {
    let mut words = codes();
    words.sort_by_key(|code| code.symbol);
    let (mut coded, mut bits, mut length) = (Vec::new(), 0_u64, 0);
    for byte in text {
        let word = words[usize::from(*byte)];
        bits = bits << word.length | u64::from(word.bits);
        length += u32::from(word.length);
        while length >= 8 {
            length -= 8;
            coded.push((bits >> length) as u8);
        }
        bits &= (1 << length) - 1;
    }
    if length > 0 {
        coded.push((bits << (8 - length)) as u8 | 0xff >> length);
    }
    coded
}

/// Reads the header blocks of one direction of a connection, in order.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: VecDeque<(String, String)>,
    limit: usize,
    /// What the other side may use of it at most.
    allowed: usize,
    /// The next block has to begin with a change to at most this.
    reduced: Option<usize>,
    codes: Vec<Code>,
}

/// One code word of HPACK's Huffman code.
#[derive(Clone, Copy, Debug)]
struct Code {
    bits: u32,
    length: u8,
    symbol: u8,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            table: VecDeque::new(),
            limit: 4096,
            allowed: 4096,
            reduced: None,
            codes: codes(),
        }
    }

    /// The other side has acknowledged another HEADER_TABLE_SIZE.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowed = bytes;
        if bytes < self.limit {
            self.reduced = Some(self.reduced.unwrap_or(bytes).min(bytes));
        }
    }

    /// The fields of one block. Panics on what is no header block: then the test has failed.
    pub(crate) fn read(&mut self, block: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut rest = block;
        if let Some(most) = self.reduced.take() {
            assert_eq!(block[0] & 0xe0, 0x20, "the table has to shrink first");
            let first = integer(&mut &block[..], 5);
            assert!(first <= most, "{first} of {most} bytes of table");
        }
        while let Some(first) = rest.first().copied() {
            if first & 0x80 != 0 {
                let index = integer(&mut rest, 7);
                fields.push(self.entry(index));
            } else if first & 0xe0 == 0x20 {
                assert!(fields.is_empty(), "too late for a change of the table");
                self.limit = integer(&mut rest, 5);
                assert!(self.limit <= self.allowed, "{} bytes of table", self.limit);
                self.evict();
            } else {
                let indexed = first & 0x40 != 0;
                let index = integer(&mut rest, if indexed { 6 } else { 4 });
                let name = match index {
                    0 => self.text(&mut rest),
                    index => self.entry(index).0,
                };
                let field = (name, self.text(&mut rest));
                if indexed {
                    self.table.push_front(field.clone());
                    self.evict();
                }
                fields.push(field);
            }
        }
        fields
    }

    fn entry(&self, index: usize) -> (String, String) {
        if let Some((name, value)) = STATIC_TABLE.get(index - 1) {
            return ((*name).to_owned(), (*value).to_owned());
        }
        self.table[index - 1 - STATIC_TABLE.len()].clone()
    }

    fn evict(&mut self) {
        let size = |(name, value): &(String, String)| name.len() + value.len() + 32;
        while self.table.iter().map(size).sum::<usize>() > self.limit {
            self.table.pop_back();
        }
    }

    fn text(&self, rest: &mut &[u8]) -> String {
        let coded = rest[0] & 0x80 != 0;
        let length = integer(rest, 7);
        let (text, after) = rest.split_at(length);
        *rest = after;
        let text = if coded {
            self.decode(text)
        } else {
            text.to_vec()
        };
        String::from_utf8_lossy(&text).into_owned()
    }

    fn decode(&self, coded: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let (mut bits, mut length) = (0_u32, 0_u8);
        for byte in coded {
            for shift in (0..8).rev() {
                bits = bits << 1 | u32::from(byte >> shift & 1);
                length += 1;
                let same = |code: &&Code| code.length == length && code.bits == bits;
                if let Some(code) = self.codes.iter().find(same) {
                    text.push(code.symbol);
                    (bits, length) = (0, 0);
                }
            }
        }
        assert!(length < 8, "the text ends inside a Huffman code");
        text
    }
}

/// An integer whose first byte leaves it `prefix` bits (RFC 7541 §5.1).
fn integer(rest: &mut &[u8], prefix: u32) -> usize {
    let mask = (1_usize << prefix) - 1;
    let mut value = usize::from(rest[0]) & mask;
    *rest = &rest[1..];
    if value < mask {
        return value;
    }
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The code words: HPACK's code is canonical, so the lengths alone determine it.
fn codes() -> Vec<Code> {
    let mut symbols: Vec<u8> = (0..=255).collect();
    symbols.sort_by_key(|symbol| CODE_LENGTHS[usize::from(*symbol)]);
    let (mut next, mut before) = (0_u32, 0_u8);
    let word = |symbol: u8| {
        let length = CODE_LENGTHS[usize::from(symbol)];
        next = if before == 0 {
            0
        } else {
            (next + 1) << (length - before)
        };
        before = length;
        Code {
            bits: next,
            length,
            symbol,
        }
    };
    symbols.into_iter().map(word).collect()
}

/// Bits in the code word of each byte (RFC 7541, Appendix B).
#[rustfmt::skip]
const CODE_LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The fields that have an index from the start (RFC 7541, Appendix A).
#[rustfmt::skip]
const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// The examples of RFC 7541, Appendix C.4 and C.2.
#[test]
fn blocks_are_read() {
    let mut decoder = Decoder::new();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let first = [
        0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90,
        0xf4, 0xff,
    ];
    let common = [
        field(":method", "GET"),
        field(":scheme", "http"),
        field(":path", "/"),
    ];
    let authority = field(":authority", "www.example.com");
    assert_eq!(decoder.read(&first)[..3], common);
    let second = [
        0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf,
    ];
    let fields = decoder.read(&second);
    assert_eq!(fields[..3], common);
    assert_eq!(fields[3..], [authority, field("cache-control", "no-cache")]);
    let mut block = Vec::new();
    let long = "x".repeat(1000);
    write_field(&mut block, Form::default(), b"name", long.as_bytes());
    write_field(&mut block, Form::default(), b"a", b"");
    assert_eq!(decoder.read(&block), [field("name", &long), field("a", "")]);
}

#[test]
fn what_is_written_is_read() {
    let mut decoder = Decoder::new();
    let every: String = (0..128_u8).map(char::from).collect();
    for table in [Table::Without, Table::Incremental, Table::Never] {
        for huffman in [false, true] {
            let mut block = Vec::new();
            write_field(&mut block, Form { table, huffman }, b"x", every.as_bytes());
            let field = ("x".to_owned(), every.clone());
            assert_eq!(decoder.read(&block), [field], "{table:?} {huffman}");
        }
    }
    // RFC 7541, Appendix C.4.1.
    let coded = encode(b"www.example.com");
    let expected = [
        0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ];
    assert_eq!(coded, expected);
    let mut block = Vec::new();
    write_resize(&mut block, 1_337);
    write_index(&mut block, 8);
    assert_eq!(
        decoder.read(&block),
        [(":status".to_owned(), "200".to_owned())]
    );
}
