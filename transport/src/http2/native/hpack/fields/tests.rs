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
        ("grpc-timeout", HeaderValue::from_static("100m")),
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
    assert!(!fields.is_empty() && !fields.is_ok());
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
fn huffman_code_is_used_only_where_it_is_shorter() {
    let length = |value: &'static str| {
        let fields = written(&[("x", HeaderValue::from_static(value))]);
        fields.block().len() - 3
    };
    assert_eq!(length("0000000000000000"), 1 + 16, "too short to try");
    assert_eq!(length("00000000000000000"), 1 + 11);
    assert_eq!(length("<<<<<<<<<<<<<<<<<"), 1 + 17);
}

#[test]
fn grpc_status_0_alone_takes_no_memory() {
    let ok = || ("grpc-status", HeaderValue::from_static("0"));
    let fields = written(&[ok()]);
    assert!(fields.is_ok() && !fields.is_empty());
    assert_eq!(fields.block.capacity(), 0);
    assert_eq!(fields.list_size(), 44);
    let more = written(&[ok(), ("x", HeaderValue::from_static("y"))]);
    assert!(more.is_ok());
    assert_eq!(read(more.block()).unwrap().len(), 1);
    let later = written(&[("x", HeaderValue::from_static("y")), ok()]);
    assert!(!later.is_ok());
    assert_eq!(read(later.block()).unwrap().len(), 2);
    assert!(Fields::default().is_empty());
}
