use super::*;

fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(text, &mut out);
    out
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, HpackError> {
    let mut out = Vec::new();
    decode(text, &mut out).map(|()| out)
}

fn comes_back(text: &[u8]) {
    let code = encoded(text);
    assert_eq!(code.len(), encoded_len(text), "{text:?}");
    assert_eq!(decoded(&code).as_deref(), Ok(text));
}

#[test]
fn every_text_of_up_to_two_octets_comes_back() {
    comes_back(b"");
    for a in 0..=255 {
        comes_back(&[a]);
        for b in 0..=255 {
            comes_back(&[a, b]);
        }
    }
}

#[test]
fn long_random_texts_come_back() {
    let mut random = fastrand::Rng::with_seed(7541);
    for _ in 0..300 {
        let length = random.usize(..2_000);
        let last = *[127, 255].get(random.usize(..2)).unwrap();
        let text: Vec<u8> = (0..length).map(|_| random.u8(..=last)).collect();
        comes_back(&text);
    }
}

/// RFC 7541 C.4 and C.6.
#[test]
fn the_examples_of_the_rfc_hold() {
    let examples: [(&[u8], &[u8]); 4] = [
        (
            b"www.example.com",
            b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        ),
        (b"no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
        (b"custom-key", b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f"),
        (b"private", b"\xae\xc3\x77\x1a\x4b"),
    ];
    for (text, code) in examples {
        assert_eq!(encoded(text), code);
        assert_eq!(decoded(code).as_deref(), Ok(text));
    }
}

/// All that is one or two octets of code is a text, or is refused; and a text has one code only.
#[test]
fn short_codes_are_read_in_one_way_only() {
    let mut taken = 0;
    for a in 0..=255_u8 {
        for b in 0..=255_u8 {
            if let Ok(text) = decoded(&[a, b]) {
                assert_eq!(encoded(&text), [a, b]);
                taken += 1;
            }
        }
        if let Ok(text) = decoded(&[a]) {
            assert_eq!(encoded(&text), [a]);
            taken += 1;
        }
    }
    assert!(taken > 256, "{taken}");
}

#[test]
fn padding_is_a_run_of_ones_shorter_than_an_octet() {
    assert_eq!(decoded(&[0b0000_0111]).as_deref(), Ok(&b"0"[..]));
    for wrong in [
        &[0b0000_0000][..],   // zeros
        &[0b0000_0110],       // ends in a zero
        &[0b0000_0111, 0xff], // a whole octet too much
        &[0xff],              // nothing but padding
        &[0xff, 0xff],        //
        &[0xff, 0xff, 0xff],  //
    ] {
        assert!(decoded(wrong).is_err(), "{wrong:?}");
    }
    // Wherever the text ends within four octets, as the decoder reads them.
    for length in 0..16 {
        let mut code = encoded(&vec![b'0'; length]);
        code.push(0xff);
        assert!(decoded(&code).is_err(), "{length}");
    }
}

#[test]
fn eos_is_refused_wherever_it_is() {
    assert_eq!(decoded(&[0xff; 4]), Err(EOS));
    assert_eq!(decoded(&[0xff; 40]), Err(EOS));
    for length in 0..16 {
        let mut code = encoded(&vec![b'8'; length * 4]);
        code.extend([0xff, 0xff, 0xff, 0xfc]);
        assert_eq!(decoded(&code), Err(EOS), "{length}");
    }
}
