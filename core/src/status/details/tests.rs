use std::time::Duration;

use bytes::Bytes;
use prost::{Message, Name};

use super::*;
use crate::random::Random;
use crate::status::wire::{read_trailers, write_trailers};
use crate::{Code, Status};

/// What the other side reads.
fn round_trip(status: &Status) -> Status {
    let mut fields = Vec::new();
    write_trailers(&mut |name, value| fields.push((name, value)), Err(status));
    read_trailers(fields).unwrap_err()
}

/// Field `tag`, length-delimited.
fn field(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2, u8::try_from(value.len()).unwrap()];
    out.extend(value);
    out
}

/// Field `tag`, a small number.
fn number(tag: u8, value: u8) -> Vec<u8> {
    vec![tag << 3, value]
}

fn entry(key: &[u8], value: &[u8]) -> Vec<u8> {
    [field(1, key), field(2, value)].concat()
}

/// Each message against bytes written by hand, and back.
#[track_caller]
fn is_on_the_wire<D: Name + Default + PartialEq>(name: &str, detail: D, fields: &[Vec<u8>]) {
    let bytes = fields.concat();
    assert_eq!(detail.encode_to_vec(), bytes, "{name}");
    let status = Status::aborted("why").with_detail(detail);
    let arrived = round_trip(&status);
    let list = arrived.unpack_details().unwrap();
    assert_eq!(list[0].type_url(), format!("type.googleapis.com/{name}"));
    assert_eq!(list[0].value(), &bytes);
    assert!(arrived.detail::<D>() == Some(D::decode(&bytes[..]).unwrap()));
}

#[test]
fn every_message_has_the_published_field_numbers() {
    is_on_the_wire(
        "google.rpc.ErrorInfo",
        ErrorInfo::new("SOLD", "shop").entry("seat", "12a"),
        &[
            field(1, b"SOLD"),
            field(2, b"shop"),
            field(3, &entry(b"seat", b"12a")),
        ],
    );
    is_on_the_wire(
        "google.rpc.RetryInfo",
        RetryInfo::new(Duration::new(3, 5)),
        &[field(1, &[number(1, 3), number(2, 5)].concat())],
    );
    is_on_the_wire(
        "google.rpc.DebugInfo",
        DebugInfo::new("why").stack_entry("a").stack_entry("b"),
        &[field(1, b"a"), field(1, b"b"), field(2, b"why")],
    );
    let mut quota = QuotaViolation::new("project:a", "too many");
    quota.api_service = "svc".into();
    quota.quota_metric = "calls".into();
    quota.quota_id = "id".into();
    quota.quota_dimensions.insert("zone".into(), "z".into());
    quota.quota_value = 7;
    quota.future_quota_value = Some(0);
    is_on_the_wire(
        "google.rpc.QuotaFailure",
        QuotaFailure::new().quota_violation(quota),
        &[field(
            1,
            &[
                field(1, b"project:a"),
                field(2, b"too many"),
                field(3, b"svc"),
                field(4, b"calls"),
                field(5, b"id"),
                field(6, &entry(b"zone", b"z")),
                number(7, 7),
                number(8, 0),
            ]
            .concat(),
        )],
    );
    is_on_the_wire(
        "google.rpc.PreconditionFailure",
        PreconditionFailure::new().violation("TERMS", "user:1", "accept them"),
        &[field(
            1,
            &[
                field(1, b"TERMS"),
                field(2, b"user:1"),
                field(3, b"accept them"),
            ]
            .concat(),
        )],
    );
    let violation = FieldViolation::new("a.b", "is empty")
        .reason("EMPTY")
        .localized_message(LocalizedMessage::new("de", "leer"));
    is_on_the_wire(
        "google.rpc.BadRequest",
        BadRequest::new().field_violation(violation),
        &[field(
            1,
            &[
                field(1, b"a.b"),
                field(2, b"is empty"),
                field(3, b"EMPTY"),
                field(4, &entry(b"de", b"leer")),
            ]
            .concat(),
        )],
    );
    is_on_the_wire(
        "google.rpc.RequestInfo",
        RequestInfo::new("r1").serving_data("x"),
        &[field(1, b"r1"), field(2, b"x")],
    );
    is_on_the_wire(
        "google.rpc.ResourceInfo",
        ResourceInfo::new("seat", "12a")
            .owner("ann")
            .description("sold"),
        &[
            field(1, b"seat"),
            field(2, b"12a"),
            field(3, b"ann"),
            field(4, b"sold"),
        ],
    );
    is_on_the_wire(
        "google.rpc.Help",
        Help::new().link("more", "https://example.org"),
        &[field(
            1,
            &[field(1, b"more"), field(2, b"https://example.org")].concat(),
        )],
    );
    is_on_the_wire(
        "google.rpc.LocalizedMessage",
        LocalizedMessage::new("fr", "vendu"),
        &[field(1, b"fr"), field(2, b"vendu")],
    );
}

#[test]
fn the_envelope_repeats_code_and_text() {
    let status = Status::not_found("gone").with_detail(Help::new());
    let expected = [
        number(1, 5),
        field(2, b"gone"),
        field(3, &field(1, b"type.googleapis.com/google.rpc.Help")),
    ];
    assert_eq!(status.details(), expected.concat());
    // Also a text that comes later.
    let status = status.context("seat").with_detail(DebugInfo::new("x"));
    assert!(
        status
            .details()
            .starts_with(&[number(1, 5), field(2, b"seat: gone")].concat())
    );
    assert_eq!(status.unpack_details().unwrap().len(), 2);
    let status = status.context("order");
    assert!(
        status
            .details()
            .starts_with(&[number(1, 5), field(2, b"order: seat: gone")].concat())
    );
    assert_eq!(status.unpack_details().unwrap().len(), 2);
}

/// Bytes that somebody set stay as they are, whatever happens to the text.
#[test]
fn raw_details_are_not_touched() {
    for raw in [
        vec![0xff, 1, 2],
        [number(1, 5), field(2, b"its own text")].concat(),
    ] {
        let status = Status::not_found("gone")
            .with_details(raw.clone())
            .context("x");
        assert_eq!(status.details(), raw);
    }
}

#[test]
fn details_are_found_by_type_and_listed_in_order() {
    let status = Status::unavailable("busy")
        .with_any_detail(AnyDetail::new("nobody.knows.This", vec![1, 2, 3]))
        .with_detail(RetryInfo::new(Duration::from_secs(1)))
        .with_detail(Help::new().link("a", "b"))
        .with_detail(RetryInfo::new(Duration::from_secs(2)));
    let arrived = round_trip(&status);
    let list = arrived.unpack_details().unwrap();
    let names: Vec<_> = list.iter().map(AnyDetail::name).collect();
    assert_eq!(
        names,
        [
            "nobody.knows.This",
            "google.rpc.RetryInfo",
            "google.rpc.Help",
            "google.rpc.RetryInfo"
        ]
    );
    assert_eq!(list[0].value(), &vec![1, 2, 3]);
    let first = arrived.detail::<RetryInfo>().unwrap();
    assert_eq!(first.delay(), Some(Duration::from_secs(1)));
    assert_eq!(arrived.detail::<BadRequest>(), None);
    assert!(matches!(
        list[0].decode::<Help>(),
        Err(DetailsError::OtherType { found, .. }) if found == "nobody.knows.This"
    ));
    // An unknown one goes on as it is.
    let next = Status::internal("x").with_any_detail(list[0].clone());
    assert_eq!(next.unpack_details().unwrap()[0], list[0]);
}

#[test]
fn any_prefix_of_the_type_url_is_fine() {
    for url in [
        "/google.rpc.Help",
        "my.host/a/google.rpc.Help",
        "google.rpc.Help",
    ] {
        let bytes = [number(1, 10), field(3, &field(1, url.as_bytes()))].concat();
        let status = Status::aborted("").with_details(bytes);
        assert_eq!(status.detail::<Help>(), Some(Help::new()), "{url}");
    }
    assert_eq!(
        AnyDetail::new("a.b/c.D", Bytes::new()).type_url(),
        "a.b/c.D"
    );
}

/// A peer's status is what the trailers say; details of another code are of another error.
#[test]
fn details_of_another_code_are_not_this_errors() {
    let other = Status::unavailable("busy").with_detail(RetryInfo::new(Duration::ZERO));
    let raw = other.details().to_vec();
    let status = round_trip(&Status::not_found("gone").with_details(raw.clone()));
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.detail::<RetryInfo>(), None);
    let error = status.unpack_details().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the status is NOT_FOUND (5), its details are of code 14"
    );
    assert_eq!(status.details(), raw);
    // Another text is no matter.
    let status = Status::unavailable("as cut by somebody").with_details(raw);
    assert!(status.detail::<RetryInfo>().is_some());
}

#[test]
fn malformed_details_are_an_error_and_stay_readable() {
    for raw in [
        &b"\xff\xff\xff\xff"[..],
        b"\x1a\x7f",
        b"plain text",
        b"\x12\x02\xff\xfe",
    ] {
        let status = round_trip(&Status::not_found("gone").with_details(raw.to_vec()));
        assert_eq!(status.details(), raw);
        assert_eq!(status.detail::<Help>(), None);
        let error = status.unpack_details().unwrap_err();
        assert!(error.to_string().contains("google.rpc.Status"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
        // One's own detail takes their place.
        let status = status.with_detail(Help::new());
        assert_eq!(status.unpack_details().unwrap().len(), 1);
    }
    // A good envelope around a broken detail.
    let status = Status::aborted("x")
        .with_any_detail(AnyDetail::new("google.rpc.Help", vec![0xff]))
        .with_detail(Help::new().link("a", "b"));
    let list = status.unpack_details().unwrap();
    assert!(matches!(
        list[0].decode::<Help>(),
        Err(DetailsError::Malformed { .. })
    ));
    assert_eq!(
        status.detail::<Help>().unwrap().links.len(),
        1,
        "the one that can be read"
    );
}

#[test]
fn a_delay_that_is_none() {
    for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, i32::MIN)] {
        let wire = field(1, &{
            let mut span = Vec::new();
            prost::encoding::int64::encode(1, &seconds, &mut span);
            prost::encoding::int32::encode(2, &nanos, &mut span);
            span
        });
        assert_eq!(RetryInfo::decode(&wire[..]).unwrap().delay(), None);
    }
    assert_eq!(RetryInfo::default().delay(), None);
    let longest = RetryInfo::new(Duration::MAX).delay().unwrap();
    assert_eq!(longest.as_secs(), u64::try_from(i64::MAX).unwrap());
}

/// The text gives way to the details: it travels whole beside them.
#[test]
fn a_long_text_does_not_cost_the_details() {
    for length in [10, 2_000, 3_000, 1 << 20] {
        let status = Status::internal("\u{e9}".repeat(length))
            .with_detail(Help::new().link("a", "b".repeat(900)));
        let arrived = round_trip(&status);
        assert!(arrived.detail::<Help>().is_some(), "{length}");
        assert!(arrived.message().starts_with("\u{e9}"));
        assert!(!arrived.message().contains("left out"), "{length}");
        let again = arrived.context("more");
        assert!(again.detail::<Help>().is_some(), "{length}");
    }
}

#[test]
fn random_details_never_panic() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut raw = random.bytes(60);
        // Mostly near what is right.
        if seed % 2 == 0 {
            let status = Status::aborted("text").with_detail(BadRequest::new().violation("a", "b"));
            raw = status.details().to_vec();
            let at = random.below(raw.len());
            raw[at] = random.bytes(2).first().copied().unwrap_or(0x80);
        }
        let status = Status::aborted("text").with_details(raw.clone());
        if let Ok(list) = status.unpack_details() {
            for detail in list {
                let _ = (
                    detail.decode::<BadRequest>(),
                    detail.decode_as::<QuotaFailure>(),
                );
            }
        }
        assert_eq!(status.details(), raw);
        let _ = status.context("x").with_detail(Help::new());
    }
}
