use std::time::Duration;

use trunkline_core::protocol::write_timeout;

use super::super::{Decoder, HpackError};
use super::*;

fn written(fields: &[(&'static str, HeaderValue)]) -> Fields {
    let mut writer = FieldsWriter::new();
    let mut sink = writer.sink();
    for (name, value) in fields {
        sink(HeaderName::from_static(name), value.clone());
    }
    drop(sink);
    writer.finish()
}

type Field = (Vec<u8>, Vec<u8>, bool);

fn read(block: &[u8]) -> Result<Vec<Field>, HpackError> {
    let mut fields = Vec::new();
    let mut sink = |name: &[u8], value: &[u8], never: bool| {
        fields.push((name.to_vec(), value.to_vec(), never));
    };
    Decoder::new(0).decode(block, &mut sink)?;
    Ok(fields)
}

#[test]
fn what_is_written_is_read() {
    let long = "a value that is longer than sixteen octets";
    let all = [
        ("user-agent", HeaderValue::from_static(long)),
        (
            "x-a-rather-long-name-of-metadata",
            HeaderValue::from_static(""),
        ),
        ("x-bin", HeaderValue::from_bytes(&[0xff; 300]).unwrap()),
    ];
    let fields = written(&all);
    let found = read(fields.block()).unwrap();
    let expected = all.iter().map(|(name, value)| {
        let name = name.as_bytes().to_vec();
        (name, value.as_bytes().to_vec(), false)
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    let size = all
        .iter()
        .map(|(name, value)| name.len() + value.len() + 32);
    assert_eq!(fields.list_size(), size.sum::<usize>());
    assert!(!fields.is_empty());
}

#[test]
fn secrets_are_never_to_be_indexed() {
    let mut token = HeaderValue::from_static("token");
    token.set_sensitive(true);
    let fields = written(&[
        ("authorization", HeaderValue::from_static("Bearer x")),
        ("cookie", HeaderValue::from_static("a=b")),
        ("proxy-authorization", HeaderValue::from_static("Basic x")),
        ("x-token", token),
        ("x-other", HeaderValue::from_static("token")),
    ]);
    let never: Vec<bool> = read(fields.block()).unwrap().iter().map(|f| f.2).collect();
    assert_eq!(never, [true, true, true, true, false]);
}

#[test]
fn what_is_logged_shows_no_values() {
    let fields = written(&[("authorization", HeaderValue::from_static("Bearer xyz"))]);
    assert_eq!(
        format!("{fields:?}"),
        "Fields { octets: 13, list_size: 55, .. }"
    );
}

#[test]
fn huffman_code_is_used_only_where_it_is_shorter() {
    let length = |text: &[u8]| {
        let mut out = Vec::new();
        string(text, Coding::Shortest, &mut out);
        out.len()
    };
    assert_eq!(length(b"0000000000000000"), 1 + 16, "too short to try");
    assert_eq!(length(b"00000000000000000"), 1 + 11);
    assert_eq!(length(b"<<<<<<<<<<<<<<<<<"), 1 + 17);
}

#[test]
fn the_field_of_most_calls_takes_no_memory() {
    let ok = || ("grpc-status", HeaderValue::from_static("0"));
    let timeout = || ("grpc-timeout", HeaderValue::from_static("99999999n"));
    let other = || ("x", HeaderValue::from_static("y"));
    for (lead, size) in [(ok(), 11 + 1 + 32), (timeout(), 12 + 9 + 32)] {
        let fields = written(std::slice::from_ref(&lead));
        assert!(!fields.is_empty());
        assert_eq!((fields.block.capacity(), fields.list_size()), (0, size));
        let more = written(&[lead.clone(), other()]);
        assert_eq!(more.lead(), fields.lead());
        assert_eq!(read(more.block()).unwrap().len(), 1);
        let later = written(&[other(), lead]);
        assert_eq!(later.lead(), &Lead::None);
        assert_eq!(read(later.block()).unwrap().len(), 2);
    }
    assert_ne!(written(&[timeout()]), written(&[ok()]));
    assert!(Fields::default().is_empty());

    let Lead::Timeout(text) = *written(&[timeout()]).lead() else {
        panic!("a timeout");
    };
    let mut block = BytesMut::new();
    text.write(&mut block);
    let field = (b"grpc-timeout".to_vec(), b"99999999n".to_vec(), false);
    assert_eq!(read(&block), Ok(vec![field]));
}

#[test]
fn what_only_looks_like_such_a_field_is_written_as_it_is() {
    let mut secret = HeaderValue::from_static("0");
    secret.set_sensitive(true);
    for (name, value) in [
        ("grpc-status", HeaderValue::from_static("00")),
        ("grpc-status", secret),
        ("grpc-timeout", HeaderValue::from_static("1234567890")),
        (
            "grpc-timeout",
            HeaderValue::from_bytes(&[b'1'; 300]).unwrap(),
        ),
    ] {
        let fields = written(&[(name, value.clone())]);
        assert_eq!(fields.lead(), &Lead::None);
        let found = (name.into(), value.as_bytes().to_vec(), value.is_sensitive());
        assert_eq!(read(fields.block()), Ok(vec![found]));
    }
}

/// Core says which field that is, and how it is written.
#[test]
fn a_timeout_is_the_field_that_core_writes() {
    for first in [false, true] {
        for span in [Duration::ZERO, Duration::from_millis(100), Duration::MAX] {
            let begun = || {
                let mut writer = FieldsWriter::new();
                if !first {
                    let other = HeaderName::from_static("x");
                    writer.push(&other, &HeaderValue::from_static("y"));
                }
                writer
            };
            let mut direct = begun();
            direct.timeout(Timeout::new(span));
            let mut pushed = begun();
            write_timeout(&mut pushed.sink(), Some(span));
            assert_eq!(direct.finish(), pushed.finish());
        }
    }
}
