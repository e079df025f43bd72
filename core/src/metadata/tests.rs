//! Keys and values: what may be sent, and what peers may send.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{Metadata, MetadataError, MetadataValue};
use crate::random::Random;
use crate::status::Status;

fn wire(name: &'static str, value: &[u8]) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.push_wire(
        HeaderName::from_static(name),
        HeaderValue::from_bytes(value).unwrap(),
    );
    metadata
}

#[test]
fn empty_allocates_nothing() {
    let metadata = Metadata::new();
    assert_eq!(metadata.0.capacity(), 0);
    assert!(metadata.is_empty());
    assert_eq!(metadata.iter().count(), 0);
}

#[test]
fn every_byte_value_survives_a_bin_key() {
    let all: Vec<u8> = (0..=255).collect();
    let mut metadata = Metadata::new();
    metadata.insert_bin("all-bin", &all).unwrap();
    for byte in 0..=255_u8 {
        metadata.append_bin("one-bin", [byte]).unwrap();
    }
    assert_eq!(metadata.get_bin("all-bin").unwrap(), all);
    let ones: Vec<Bytes> = metadata.get_all_bin("one-bin").collect();
    assert_eq!(ones.concat(), all);
    assert_eq!(metadata.len(), 257);
}

#[test]
fn any_bytes_survive_a_bin_key_unpadded() {
    let mut random = Random::new(1);
    for _ in 0..2_000 {
        let bytes = random.bytes(70);
        let mut metadata = Metadata::new();
        metadata.insert_bin("k-bin", &bytes).unwrap();
        let (_, value) = metadata.wire().next().unwrap();
        assert!(!value.as_bytes().contains(&b'='));
        assert_eq!(metadata.get_bin("k-bin").unwrap(), bytes);
    }
}

#[test]
fn any_bytes_from_the_wire_never_fail() {
    let mut random = Random::new(2);
    for _ in 0..5_000 {
        let bytes = random.bytes(40);
        let Ok(value) = HeaderValue::from_bytes(&bytes) else {
            continue;
        };
        for name in ["k-bin", "k"] {
            let mut metadata = Metadata::new();
            metadata.push_wire(HeaderName::from_static(name), value.clone());
            let _ = (metadata.get(name), metadata.get_bin(name));
            assert!(metadata.contains(name));
            assert!(metadata.iter().all(|(key, _)| key == name));
        }
    }
}

#[test]
fn base64_of_peers() {
    for (text, expected) in [
        (&b"YWI="[..], &["ab"][..]),
        (b"YWI", &["ab"]),
        (b"YQ==", &["a"]),
        (b"YQ", &["a"]),
        (b"YR", &["a"]), // stray bits behind the last byte
        (b"YWI,YQ==", &["ab", "a"]),
        (b"YWI, YQ", &["ab", "a"]),
        (b"!!,YQ", &["a"]),
        (b"Y", &[]),
        (b"", &[""]),
    ] {
        let metadata = wire("k-bin", text);
        let values: Vec<Bytes> = metadata.get_all_bin("k-bin").collect();
        assert_eq!(values, expected, "{}", text.escape_ascii());
        assert_eq!(metadata.get_bin("k-bin"), values.first().cloned());
    }
}

#[test]
fn keys_are_checked() {
    let mut metadata = Metadata::new();
    let long = "k".repeat(70_000);
    for key in ["", "Tenant", "a b", "a\n", "a/b", "schl\u{fc}ssel", &long] {
        let error = metadata.insert(key, "v").unwrap_err();
        assert!(matches!(error, MetadataError::InvalidKey { .. }), "{key:?}");
        assert!(error.to_string().contains(&format!("{key:?}")));
    }
    for key in [
        "grpc-status",
        "grpc-anything-bin",
        "te",
        "content-type",
        "content-length",
        "user-agent",
        "host",
        "connection",
        "transfer-encoding",
        "keep-alive",
        "upgrade",
        "proxy-connection",
        ":path",
        ":x",
    ] {
        let reserved = MetadataError::ReservedKey { key: key.into() };
        assert_eq!(metadata.insert(key, "v"), Err(reserved.clone()));
        assert_eq!(metadata.append_bin(key, "v"), Err(reserved));
    }
    assert!(metadata.is_empty());
    for key in ["a", "0", "x_y.z-0", "authorization"] {
        metadata.insert(key, "v").unwrap();
    }
}

#[test]
fn values_are_checked() {
    let mut metadata = Metadata::new();
    let key = || "k".to_owned();
    for value in [
        "\n",
        "a\r\nb: c",
        "\0",
        "\t",
        "\x7f",
        "\u{e9}",
        " a",
        "a ",
        " ",
    ] {
        let expected = Err(MetadataError::InvalidValue { key: key() });
        assert_eq!(metadata.insert("k", value), expected, "{value:?}");
    }
    assert_eq!(
        metadata.insert("k-bin", "v"),
        Err(MetadataError::NeedsBytes {
            key: "k-bin".into()
        })
    );
    assert_eq!(
        metadata.insert_bin("k", "v"),
        Err(MetadataError::NeedsText { key: "k".into() })
    );
    assert!(metadata.is_empty());
    let printable: String = (b'!'..=b'~').map(char::from).collect();
    metadata.insert("k", &printable).unwrap();
    assert_eq!(metadata.get("k"), Some(&*printable));
    metadata.insert("k", "").unwrap();
    assert_eq!(metadata.get("k"), Some(""));
}

#[test]
fn a_failed_insert_keeps_the_old_value() {
    let mut metadata = Metadata::new();
    metadata.insert("k", "old").unwrap();
    metadata.insert("k", "\n").unwrap_err();
    assert_eq!(metadata.get("k"), Some("old"));
}

#[test]
fn insert_replaces_append_adds_remove_takes_all() {
    let mut metadata = Metadata::new();
    metadata.append("k", "1").unwrap();
    metadata.append("other", "x").unwrap();
    metadata.append("k", "2").unwrap();
    assert_eq!(metadata.get_all("k").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(metadata.get("k"), Some("1"));
    metadata.insert("k", "3").unwrap();
    assert_eq!(metadata.get_all("k").collect::<Vec<_>>(), ["3"]);
    assert!(metadata.remove("k"));
    assert!(!metadata.remove("k"));
    assert!(!metadata.contains("k"));
    assert_eq!(metadata.get("K"), None);

    let mut more = Metadata::new();
    more.extend(metadata.clone());
    more.extend(metadata);
    assert_eq!(more.get_all("other").count(), 2);
    more.clear();
    assert!(more.is_empty());
}

#[test]
fn iteration_shows_both_kinds_in_order() {
    let mut metadata = Metadata::new();
    metadata.insert("a", "1").unwrap();
    metadata.insert_bin("b-bin", [0]).unwrap();
    metadata.extend(wire("c-bin", b"AQ,Ag"));
    metadata.extend(wire("unreadable", b"\xff"));
    let seen: Vec<_> = metadata.iter().collect();
    let binary = |byte: u8| MetadataValue::Binary(Bytes::from(vec![byte]));
    assert_eq!(
        seen,
        [
            ("a", MetadataValue::Ascii("1")),
            ("b-bin", binary(0)),
            ("c-bin", binary(1)),
            ("c-bin", binary(2)),
        ]
    );
    assert_eq!(metadata.get("b-bin"), None);
    assert_eq!(metadata.get_bin("a"), None);
    assert_eq!(metadata.get("unreadable"), None);
    assert_eq!(
        format!("{metadata:?}"),
        r#"{"a": "1", "b-bin": "AA", "c-bin": "AQ,Ag", "unreadable": "\xff"}"#
    );
}

/// Calls, statuses and outcomes show theirs too.
#[test]
fn debug_shows_no_value_that_proves_who_somebody_is() {
    let mut metadata = Metadata::new();
    metadata.insert("authorization", "Bearer sesame").unwrap();
    metadata.insert("cookie", "session=sesame").unwrap();
    metadata.insert("tenant", "a").unwrap();
    let status = Status::unauthenticated("no").with_metadata(metadata.clone());
    let shown = format!("{metadata:?} {metadata:#?} {status:?}");
    assert!(!shown.contains("sesame"), "{shown}");
    let expected = r#"{"authorization": (not shown), "cookie": (not shown), "tenant": "a"}"#;
    assert_eq!(format!("{metadata:?}"), expected);
}
