use super::*;

type Field = (String, String, bool);

fn field(name: &str, value: &str) -> Field {
    (name.to_owned(), value.to_owned(), false)
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, HpackError> {
    let mut fields = Vec::new();
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    let mut sink = |name: &[u8], value: &[u8], never_index: bool| {
        fields.push((text(name), text(value), never_index));
    };
    decoder.decode(block, &mut sink)?;
    Ok(fields)
}

fn fails(block: &[u8]) -> HpackError {
    decode(&mut Decoder::new(4_096), block).unwrap_err()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

type Fields = [(&'static str, &'static str)];

/// A series of blocks on one connection: octets, fields, and the size of the table afterwards.
fn series(limit: u32, blocks: &[(&str, &Fields, usize)]) {
    let mut decoder = Decoder::new(limit);
    for (hex, fields, size) in blocks {
        let expected: Vec<Field> = fields.iter().map(|(n, v)| field(n, v)).collect();
        let found = decode(&mut decoder, &octets(hex));
        assert_eq!(found.as_ref(), Ok(&expected), "{hex}");
        assert_eq!(decoder.table.size(), *size, "{hex}");
    }
}

/// RFC 7541 C.2.
#[test]
fn each_form_of_a_field_is_read() {
    let custom = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    series(4_096, &[(custom, &[("custom-key", "custom-header")], 55)]);
    let path = "040c 2f73 616d 706c 652f 7061 7468";
    series(4_096, &[(path, &[(":path", "/sample/path")], 0)]);
    series(4_096, &[("82", &[(":method", "GET")], 0)]);
    let secret = octets("1008 7061 7373 776f 7264 0673 6563 7265 74");
    let mut decoder = Decoder::new(4_096);
    let never = ("password".to_owned(), "secret".to_owned(), true);
    assert_eq!(decode(&mut decoder, &secret), Ok(vec![never]));
    assert_eq!((decoder.table.size(), decoder.version()), (0, 0));
}

const FIRST: &Fields = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
];
const SECOND: &Fields = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const THIRD: &Fields = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

/// RFC 7541 C.3 and C.4.
#[test]
fn requests_refer_to_those_before_them() {
    series(
        4_096,
        &[
            (
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                FIRST,
                57,
            ),
            ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND, 110),
            (
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                THIRD,
                164,
            ),
        ],
    );
    series(
        4_096,
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST, 57),
            ("8286 84be 5886 a8eb 1064 9cbf", SECOND, 110),
            (
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                THIRD,
                164,
            ),
        ],
    );
}

const FOUND: &Fields = &[
    (":status", "302"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const TEMPORARY: &Fields = &[
    (":status", "307"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const COOKIE: &Fields = &[
    (":status", "200"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ("location", "https://www.example.com"),
    ("content-encoding", "gzip"),
    (
        "set-cookie",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ),
];

/// RFC 7541 C.5 and C.6: a table of 256 octets.
#[test]
fn responses_evict_what_the_table_has_no_room_for() {
    series(
        256,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                FOUND,
                222,
            ),
            ("4803 3330 37c1 c0bf", TEMPORARY, 222),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
                COOKIE,
                215,
            ),
        ],
    );
    series(
        256,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                FOUND,
                222,
            ),
            ("4883 640e ffc1 c0bf", TEMPORARY, 222),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                COOKIE,
                215,
            ),
        ],
    );
}

/// RFC 7541 §2.3.3, 6.1.
#[test]
fn an_index_beyond_the_tables_is_refused() {
    for block in [
        &[0x80][..],                     // 0
        &[0xbe],                         // 62, of an empty table
        &[0xff, 0x00],                   // 127
        &[0xff, 0xff, 0xff, 0xff, 0x7f], // as large as it gets
        &[0x7e, 0x01, b'x'],             // a name, inserted
        &[0x0f, 0x2f, 0x01, b'x'],       // a name, not inserted
        &[0x1f, 0x2f, 0x01, b'x'],       // a name, never inserted
    ] {
        assert_eq!(fails(block), INDEX, "{block:?}");
    }
    // One behind the last there is.
    let mut decoder = Decoder::new(4_096);
    assert!(decode(&mut decoder, b"\x40\x01a\x01b").is_ok());
    assert_eq!(decode(&mut decoder, &[0xbe]), Ok(vec![field("a", "b")]));
    assert_eq!(decode(&mut decoder, &[0xbf]), Err(INDEX));
}

#[test]
fn every_static_entry_has_its_index() {
    for (index, (name, value)) in (1_u8..).zip(&ENTRIES) {
        let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
        let found = decode(&mut Decoder::new(0), &[0x80 | index]);
        assert_eq!(found, Ok(vec![(text(name), text(value), false)]));
    }
}

#[test]
fn a_block_that_ends_early_is_refused_wherever_it_ends() {
    let whole = octets("400a 6375 7374 6f6d 2d6b 6579 8925 a849 e95b b8e8 b4bf");
    assert!(decode(&mut Decoder::new(4_096), &whole).is_ok());
    for length in 1..whole.len() {
        assert_eq!(fails(whole.get(..length).unwrap()), CUT, "{length}");
    }
    // A length that is only claimed.
    assert_eq!(fails(&[0x00, 0x7f, 0xff, 0xff, 0xff, 0x7f]), CUT);
    assert_eq!(
        fails(&[0x00, 0x01, b'a', 0xff, 0xff, 0xff, 0xff, 0x7f]),
        CUT
    );
}

/// RFC 7541 §4.2, 6.3.
#[test]
fn size_updates_stand_at_the_start_and_are_two_at_most() {
    let get = Ok(vec![field(":method", "GET")]);
    let decode = |block: &[u8]| decode(&mut Decoder::new(4_096), block);
    assert_eq!(decode(&[0x20, 0x82]), get);
    assert_eq!(
        decode(&[0x20, 0x3f, 0xe1, 0x1f, 0x82]),
        get,
        "0, then 4,096"
    );
    assert_eq!(decode(&[0x20]), Ok(vec![]));
    assert_eq!(decode(&[0x20, 0x20, 0x20, 0x82]), Err(MANY_UPDATES));
    assert_eq!(decode(&[0x82, 0x20]), Err(LATE_UPDATE));
    assert_eq!(
        decode(&[0x3f, 0xe2, 0x1f, 0x82]),
        Err(LARGE_UPDATE),
        "4,097"
    );
}

#[test]
fn size_updates_evict() {
    let mut decoder = Decoder::new(4_096);
    assert!(decode(&mut decoder, b"\x40\x01a\x01b\x40\x01c\x01d").is_ok());
    assert_eq!(decode(&mut decoder, &[0x3f, 34 - 31]), Ok(vec![]));
    assert_eq!(decode(&mut decoder, &[0xbe]), Ok(vec![field("c", "d")]));
    assert_eq!(decode(&mut decoder, &[0xbf]), Err(INDEX));
}

#[test]
fn a_limit_that_fell_has_to_be_answered_in_the_next_block() {
    let fell = || {
        let mut decoder = Decoder::new(4_096);
        decoder.set_limit(100);
        decoder
    };
    let (to_100, to_4096) = (&[0x3f, 0x45][..], &[0x3f, 0xe1, 0x1f][..]);
    assert_eq!(decode(&mut fell(), &[0x82]), Err(MISSING_UPDATE));
    assert_eq!(decode(&mut fell(), &[]), Err(MISSING_UPDATE));
    assert_eq!(decode(&mut fell(), to_4096), Err(LARGE_UPDATE));
    let mut decoder = fell();
    assert_eq!(decode(&mut decoder, to_100), Ok(vec![]));
    assert!(decode(&mut decoder, &[0x82]).is_ok(), "only once");
    assert!(decode(&mut fell(), &[0x20, 0x82]).is_ok(), "less will do");

    // Down and up again before the next block: the lowest has to be seen.
    let mut decoder = fell();
    decoder.set_limit(4_096);
    assert_eq!(decode(&mut decoder, to_4096), Err(MISSING_UPDATE));
    let mut decoder = fell();
    decoder.set_limit(4_096);
    assert!(decode(&mut decoder, &[to_100, to_4096, &[0x82]].concat()).is_ok());

    // A limit that is above what the table was set to wants nothing.
    let mut decoder = Decoder::new(4_096);
    assert!(decode(&mut decoder, &[0x20]).is_ok());
    decoder.set_limit(100);
    assert!(decode(&mut decoder, &[0x82]).is_ok());
}

#[test]
fn the_version_moves_with_the_table_only() {
    let mut decoder = Decoder::new(4_096);
    let mut version = |block: &[u8]| {
        assert!(decode(&mut decoder, block).is_ok());
        decoder.version()
    };
    assert_eq!(version(&[0x82]), 0);
    assert_eq!(version(b"\x00\x01a\x01b"), 0, "not inserted");
    assert_eq!(version(b"\x10\x01a\x01b"), 0, "never inserted");
    assert_eq!(version(b"\x40\x01a\x01b"), 1);
    assert_eq!(version(&[0xbe]), 1);
    assert_eq!(version(&[0x3f, 0xe1, 0x1f]), 1, "the size that it has");
    assert_eq!(version(&[0x20]), 2);
    assert_eq!(
        version(b"\x40\x01a\x01b"),
        3,
        "too large, so it empties the table"
    );
}

#[test]
fn random_octets_never_do_more_than_fail() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut decoder = Decoder::new(4_096);
    let mut good = 0;
    for _ in 0..20_000 {
        let block: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
        let mut sink = |_: &[u8], _: &[u8], _: bool| {};
        good += usize::from(decoder.decode(&block, &mut sink).is_ok());
        assert!(decoder.table.size() <= 4_096);
    }
    assert!(good > 500, "{good}");
    assert!(decoder.memory() < 24 * 1024, "{}", decoder.memory());
    decoder.shrink();
    assert!(decoder.memory() < 12 * 1024, "{}", decoder.memory());
}
