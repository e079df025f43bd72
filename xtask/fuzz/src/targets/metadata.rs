//! Metadata against a list of pairs, one operation after the other.
//!
//! Input: operations, each a byte for what to do, then a key, then a value.

use http::{HeaderName, HeaderValue};
use trunkline_core::{Metadata, MetadataError, MetadataValue};

use crate::Source;

const KEYS: &[&str] = &[
    "a",
    "b",
    "a-bin",
    "b-bin",
    "-bin",
    "grpc-a",
    "te",
    "host",
    "A",
    "",
    ":path",
    "x.y_z-0",
    "user-agent",
    "authorization",
    "a b",
    "grpc-bin",
    "é",
];

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    /// As a peer might send it: neither printable nor base64.
    Unreadable,
}

type Model = Vec<(String, Value)>;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let mut metadata = Metadata::new();
    let mut model = Model::new();
    for _ in 0..64 {
        if source.is_empty() {
            break;
        }
        step(&mut source, &mut metadata, &mut model);
        compare(&metadata, &model);
    }
    let copy = metadata.clone();
    assert!(copy == metadata, "a copy is equal");
    let _ = format!("{metadata:?}");
    let mut both = Metadata::new();
    both.extend(copy);
    both.extend(metadata.clone());
    let twice: Model = model.iter().chain(&model).cloned().collect();
    compare(&both, &twice);
}

fn step(source: &mut Source<'_>, metadata: &mut Metadata, model: &mut Model) {
    let action = source.byte() % 8;
    let key = match source.byte() % 4 {
        0 => source.text(),
        _ => source.pick(KEYS).to_owned(),
    };
    match action {
        0 | 1 => {
            let text = source.text();
            let expected = text_fault(&key, &text);
            let result = match action {
                0 => metadata.insert(&key, &text),
                _ => metadata.append(&key, &text),
            };
            assert_eq!(result.as_ref().err(), expected.as_ref());
            if expected.is_none() {
                if action == 0 {
                    model.retain(|(each, _)| *each != key);
                }
                model.push((key, Value::Text(text)));
            }
        }
        2 | 3 => {
            let bytes = source.short();
            let expected = bytes_fault(&key);
            let result = match action {
                2 => metadata.insert_bin(&key, bytes),
                _ => metadata.append_bin(&key, bytes),
            };
            assert_eq!(result.as_ref().err(), expected.as_ref());
            if expected.is_none() {
                if action == 2 {
                    model.retain(|(each, _)| *each != key);
                }
                model.push((key, Value::Bytes(bytes.to_vec())));
            }
        }
        4 => {
            let before = model.len();
            model.retain(|(each, _)| *each != key);
            assert_eq!(metadata.remove(&key), model.len() < before);
        }
        5 if source.byte() == 0 => {
            metadata.clear();
            model.clear();
        }
        _ => {
            let names = ["a", "b", "c-bin", "grpc-a"];
            let name = source.pick(&names);
            let value = match source.byte() % 2 {
                0 => b"\xff\xfe".as_slice(),
                _ => b"text",
            };
            let wire = HeaderValue::from_bytes(value).expect("a legal value");
            metadata.push_wire(HeaderName::from_static(name), wire);
            let read = match (name.ends_with("-bin"), value) {
                (true, b"text") => Value::Bytes(vec![0xb5, 0xec, 0x6d]),
                (false, b"text") => Value::Text("text".to_owned()),
                _ => Value::Unreadable,
            };
            model.push((name.to_owned(), read));
        }
    }
}

fn key_fault(key: &str) -> Option<MetadataError> {
    let reserved = key.starts_with("grpc-")
        || key.starts_with(':')
        || (super::fields::is_protocols(key) && !key.starts_with("grpc"));
    let key_owned = key.to_owned();
    if reserved {
        return Some(MetadataError::ReservedKey { key: key_owned });
    }
    let legal = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || "_.-".contains(c);
    let good = !key.is_empty() && key.chars().all(legal);
    (!good).then_some(MetadataError::InvalidKey { key: key_owned })
}

fn text_fault(key: &str, text: &str) -> Option<MetadataError> {
    let key_owned = key.to_owned();
    if let Some(fault) = key_fault(key) {
        return Some(fault);
    }
    if key.ends_with("-bin") {
        return Some(MetadataError::NeedsBytes { key: key_owned });
    }
    let printable = text.chars().all(|c| (' '..='~').contains(&c));
    let good = printable && text.trim_matches(' ') == text;
    (!good).then_some(MetadataError::InvalidValue { key: key_owned })
}

fn bytes_fault(key: &str) -> Option<MetadataError> {
    let key_owned = key.to_owned();
    key_fault(key)
        .or_else(|| (!key.ends_with("-bin")).then_some(MetadataError::NeedsText { key: key_owned }))
}

fn compare(metadata: &Metadata, model: &Model) {
    assert_eq!(metadata.len(), model.len());
    assert_eq!(metadata.is_empty(), model.is_empty());
    let listed: Vec<(String, Value)> = metadata
        .iter()
        .map(|(key, value)| {
            let value = match value {
                MetadataValue::Ascii(text) => Value::Text(text.to_owned()),
                MetadataValue::Binary(bytes) => Value::Bytes(bytes.to_vec()),
            };
            (key.to_owned(), value)
        })
        .collect();
    let readable = model
        .iter()
        .filter(|(_, value)| *value != Value::Unreadable);
    assert_eq!(listed, readable.cloned().collect::<Vec<_>>());
    for key in KEYS.iter().copied().chain(["c-bin"]) {
        let here = || model.iter().filter(|(each, _)| each == key);
        assert_eq!(metadata.contains(key), here().next().is_some(), "{key:?}");
        let texts: Vec<&str> = here()
            .filter_map(|(_, value)| match value {
                Value::Text(text) => Some(text.as_str()),
                Value::Bytes(_) | Value::Unreadable => None,
            })
            .collect();
        assert_eq!(metadata.get_all(key).collect::<Vec<_>>(), texts);
        assert_eq!(metadata.get(key), texts.first().copied());
        let bytes: Vec<&[u8]> = here()
            .filter_map(|(_, value)| match value {
                Value::Bytes(bytes) => Some(bytes.as_slice()),
                Value::Text(_) | Value::Unreadable => None,
            })
            .collect();
        assert_eq!(metadata.get_all_bin(key).collect::<Vec<_>>(), bytes);
        assert_eq!(metadata.get_bin(key).as_deref(), bytes.first().copied());
    }
}
