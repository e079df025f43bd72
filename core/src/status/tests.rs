//! Statuses in memory and on the wire, from honest peers and others.

use std::error::Error as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::wire::{read_trailers, write_trailers, write_trailers_only};
use super::{Origin, Stage, Status, percent};
use crate::code::Code;
use crate::metadata::Metadata;
use crate::random::Random;

type Fields = Vec<(HeaderName, HeaderValue)>;

fn written(result: Result<&Metadata, &Status>) -> Fields {
    let mut fields = Fields::new();
    write_trailers(&mut |name, value| fields.push((name, value)), result);
    fields
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(field, _)| field == name);
    let value = found.next().map(|(_, value)| value.to_str().unwrap());
    assert!(found.next().is_none(), "{name} twice");
    value
}

fn fields(list: &[(&'static str, &str)]) -> Fields {
    let one = |(name, value): &(&'static str, &str)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (HeaderName::from_static(name), value)
    };
    list.iter().map(one).collect()
}

fn round_trip(status: &Status) -> Status {
    read_trailers(written(Err(status))).unwrap_err()
}

/// By HTTP/2's count.
fn block_len(fields: &Fields) -> usize {
    let one = |(name, value): &(HeaderName, HeaderValue)| name.as_str().len() + value.len() + 32;
    fields.iter().map(one).sum()
}

#[test]
fn one_pointer_wide() {
    assert_eq!(size_of::<Status>(), 8);
    assert_eq!(size_of::<Result<(), Status>>(), 8);
}

#[test]
fn never_ok() {
    let status = Status::new(Code::Ok, "fine");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "code OK used for an error: fine");
}

#[test]
fn reads_well() {
    let status = Status::unavailable("10.0.0.1:50051: connection refused")
        .with_method("/pkg.S/M")
        .with_stage(Stage::Connect);
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: /pkg.S/M: connect: 10.0.0.1:50051: connection refused"
    );
    assert_eq!(Status::aborted("").to_string(), "ABORTED");
    assert_eq!(
        Status::unknown("b").context("a").to_string(),
        "UNKNOWN: a: b"
    );
}

#[test]
fn says_when_the_server_said_it() {
    let status = |message| {
        Status::unavailable(message)
            .with_method("/pkg.S/M")
            .with_origin(Origin::Peer)
    };
    assert_eq!(
        status("down for maintenance").to_string(),
        "UNAVAILABLE: /pkg.S/M: down for maintenance (from the server)"
    );
    assert_eq!(
        status("").to_string(),
        "UNAVAILABLE: /pkg.S/M (from the server)"
    );
    for ours in [Origin::Transport, Origin::Local] {
        let status = status("reset").with_origin(ours);
        assert_eq!(status.to_string(), "UNAVAILABLE: /pkg.S/M: reset");
    }
    assert_eq!(
        round_trip(&Status::aborted("twice")).message(),
        "twice",
        "what travels on is the message alone"
    );
}

#[test]
fn debug_is_one_line_that_begins_like_display() {
    let bare = Status::unknown("b").with_stage(Stage::Handler);
    assert_eq!(format!("{bare:?}"), bare.to_string());
    let mut full = bare
        .with_unprocessed(true)
        .with_details(vec![0; 12])
        .with_source("disk\nfull");
    full.metadata_mut().insert("k", "v").unwrap();
    let metadata = format!("{:?}", full.metadata());
    for text in [format!("{full:?}"), format!("{full:#?}")] {
        assert_eq!(
            text,
            format!(
                "UNKNOWN: handler: b {{ unprocessed, details: 12 bytes, metadata: {metadata}, \
                 source: \"disk\\nfull\" }}"
            )
        );
    }
    let hostile = Status::aborted("two\r\nlines \u{1b}[31m and a \u{263a}\u{85}end\t");
    assert_eq!(
        format!("{hostile:?}"),
        "ABORTED: two\\r\\nlines \\u{1b}[31m and a \u{263a}\\u{85}end\\t"
    );
}

#[test]
fn keeps_its_cause() {
    let cause = || std::io::Error::other("disk");
    let status = Status::internal("x");
    assert!(status.source().is_none());
    let arc: Arc<dyn std::error::Error + Send + Sync> = Arc::new(cause());
    for status in [
        status.clone().with_source(cause()),
        status.clone().with_source(arc),
        status.with_source("disk"),
    ] {
        assert_eq!(status.clone().source().unwrap().to_string(), "disk");
    }
}

#[test]
fn ok_is_one_field_and_the_metadata() {
    let mut metadata = Metadata::new();
    metadata.insert("k", "v").unwrap();
    let fields = written(Ok(&metadata));
    assert_eq!(fields.len(), 2);
    assert_eq!(field(&fields, "grpc-status"), Some("0"));
    assert_eq!(read_trailers(fields).unwrap(), metadata);
}

#[test]
fn every_code_round_trips_with_everything() {
    for number in 1..=16 {
        let mut sent =
            Status::new(Code::from_number(number), "why \u{263a}").with_details(vec![0, 255]);
        sent.metadata_mut().insert("k", "v").unwrap();
        let got = round_trip(&sent);
        assert_eq!(got.code().number(), number);
        assert_eq!(got.message(), "why \u{263a}");
        assert_eq!(got.details(), [0, 255]);
        assert_eq!(got.metadata(), sent.metadata());
        assert_eq!(got.origin(), Origin::Peer);
        assert_eq!(got.stage(), None);
    }
}

#[test]
fn trailers_only_names_the_content_type() {
    let mut fields = Fields::new();
    let status = Status::unimplemented("");
    write_trailers_only(&mut |name, value| fields.push((name, value)), &status);
    assert_eq!(field(&fields, "content-type"), Some("application/grpc"));
    assert_eq!(field(&fields, "grpc-status"), Some("12"));
    assert_eq!(field(&fields, "grpc-message"), None);
    assert!(read_trailers(fields).unwrap_err().metadata().is_empty());
}

#[test]
fn any_message_round_trips() {
    let mut random = Random::new(5);
    for _ in 0..3_000 {
        let message = random.string(60);
        let sent = Status::unknown(message.clone());
        let fields = written(Err(&sent));
        if let Some(text) = field(&fields, "grpc-message") {
            assert!(!text.starts_with(' ') && !text.ends_with(' '), "{text:?}");
            assert!(text.bytes().all(|b| matches!(b, 0x20..=0x7e)));
        }
        assert_eq!(round_trip(&sent).message(), message);
    }
}

#[test]
fn special_messages_are_encoded_as_the_documents_say() {
    for (message, expected) in [
        ("plain text!", "plain text!"),
        ("100%", "100%25"),
        ("\t\r\n", "%09%0D%0A"),
        (" x ", "%20x%20"),
        ("\u{263a}\u{1f608}", "%E2%98%BA%F0%9F%98%88"),
        ("\x7f", "%7F"),
    ] {
        let fields = written(Err(&Status::unknown(message)));
        assert_eq!(field(&fields, "grpc-message"), Some(expected));
        let fields = written(Err(&Status::unknown(message.to_owned())));
        assert_eq!(field(&fields, "grpc-message"), Some(expected));
    }
}

#[test]
fn decoding_never_fails() {
    for (text, expected) in [
        (&b""[..], ""),
        (b"%", "%"),
        (b"%4", "%4"),
        (b"%zz", "%zz"),
        (b"%%41", "%A"),
        (b"%e2%98%ba", "\u{263a}"),
        (b"%ff", "\u{fffd}"),
        (b"%E2%98", "\u{fffd}"),
        (b"\xe2\x98\xba", "\u{263a}"),
    ] {
        assert_eq!(percent::decode(text), expected);
    }
    let mut random = Random::new(6);
    for _ in 0..10_000 {
        percent::decode(&random.bytes(50));
    }
}

#[test]
fn a_huge_message_is_cut_at_a_character_and_marked() {
    for character in ["x", "%", "\u{e9}", "\u{263a}", "\u{1f608}"] {
        let message = character.repeat((1 << 20) / character.len());
        let status = Status::data_loss(message.clone()).with_details(vec![1; 100 << 10]);
        let fields = written(Err(&status));
        assert!(block_len(&fields) <= 8_192, "{}", block_len(&fields));
        assert_eq!(field(&fields, "grpc-status-details-bin"), None);
        let got = round_trip(&status);
        assert_eq!(got.code(), Code::DataLoss);
        let mark = format!(
            "... [cut, {} bytes in all] [details left out, 102400 bytes]",
            message.len()
        );
        let text = got.message().strip_suffix(&*mark).unwrap();
        assert!(message.starts_with(text));
        assert!(text.len() > 1_000);
    }
}

#[test]
fn the_largest_message_and_details_fit_one_block() {
    // One byte less or more around both limits.
    for message in 3_900..4_000 {
        for details in [2_975, 2_976, 2_977] {
            let status = Status::internal("m".repeat(message)).with_details(vec![9; details]);
            let fields = written(Err(&status));
            assert!(block_len(&fields) + 110 <= 8_192);
            assert_eq!(
                round_trip(&status).details().len(),
                if details > 2_976 { 0 } else { details }
            );
        }
    }
}

#[test]
fn large_metadata_takes_room_from_the_message() {
    let mut status = Status::internal("m".repeat(4_000));
    status
        .metadata_mut()
        .insert("k", &"v".repeat(6_000))
        .unwrap();
    assert!(block_len(&written(Err(&status))) <= 8_192);
    status
        .metadata_mut()
        .insert("k", &"v".repeat(60_000))
        .unwrap();
    assert!(round_trip(&status).message().starts_with("mmm"));
}

#[test]
fn left_out_details_without_a_message() {
    let status = Status::internal("").with_details(vec![0; 5_000]);
    assert_eq!(
        round_trip(&status).message(),
        "[details left out, 5000 bytes]"
    );
}

#[test]
fn hostile_statuses() {
    for (list, text) in [
        (&[][..], "trailers without grpc-status"),
        (&["+5"], "malformed grpc-status \"+5\": m"),
        (&["-1"], "malformed grpc-status \"-1\": m"),
        (&[""], "malformed grpc-status \"\": m"),
        (&["00"], "malformed grpc-status \"00\": m"),
        (&["0 "], "malformed grpc-status \"0 \": m"),
        (&["0,0"], "malformed grpc-status \"0,0\": m"),
        (&["5\u{e9}"], "malformed grpc-status \"5\\xc3\\xa9\": m"),
        (
            &["99999999999999999999"],
            "malformed grpc-status \"99999999999999999999\": m",
        ),
        (&["17"], "unknown grpc-status 17: m"),
        (&["99"], "unknown grpc-status 99: m"),
        (
            &["0", "5"],
            "trailers with two grpc-status values, \"0\" and \"5\"",
        ),
        (
            &["5", "0"],
            "trailers with two grpc-status values, \"5\" and \"0\"",
        ),
        (
            &["0", "0", "5"],
            "trailers with two grpc-status values, \"0\" and \"5\"",
        ),
    ] {
        let mut list: Vec<_> = list.iter().map(|value| ("grpc-status", *value)).collect();
        list.extend([("grpc-message", "m"), ("k", "v")]);
        let status = read_trailers(fields(&list)).unwrap_err();
        assert_eq!(status.code(), Code::Unknown, "{list:?}");
        assert_eq!(status.message(), text);
        assert_eq!(status.metadata().get("k"), Some("v"));
    }
    // Doubled, but of one mind.
    let status = read_trailers(fields(&[("grpc-status", "5"), ("grpc-status", "5")]));
    assert_eq!(status.unwrap_err().code(), Code::NotFound);
    assert!(read_trailers(fields(&[("grpc-status", "0"), ("grpc-status", "0")])).is_ok());
}

#[test]
fn broken_details_cost_only_themselves() {
    for details in ["!!!", "=", "A", "\u{e9}"] {
        let list = [
            ("grpc-status", "5"),
            ("grpc-message", "gone"),
            ("grpc-status-details-bin", details),
        ];
        let status = read_trailers(fields(&list)).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
        assert_eq!(status.details(), b"");
    }
}

#[test]
fn protocol_fields_are_not_metadata() {
    let list = [
        ("content-type", "application/grpc"),
        ("grpc-encoding", "identity"),
        ("grpc-status", "0"),
        ("grpc-message", "ignored"),
        ("k", "v"),
    ];
    let metadata = read_trailers(fields(&list)).unwrap();
    assert_eq!(metadata.len(), 1);
}

#[test]
fn random_trailers_never_panic() {
    let names = [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "k",
        "k-bin",
        "te",
    ];
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut list = Fields::new();
        for _ in 0..random.below(6) {
            let name = HeaderName::from_static(names[random.below(names.len())]);
            let value = Bytes::from(random.bytes(12));
            if let Ok(value) = HeaderValue::from_maybe_shared(value) {
                list.push((name, value));
            }
        }
        if let Err(status) = read_trailers(list) {
            assert_ne!(status.code(), Code::Ok);
            let _ = written(Err(&status));
        }
    }
}
