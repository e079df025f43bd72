//! Heads of requests: written, read, refused.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{
    Reject, RequestFields, RequestReader, read_request, write_request, write_request_form,
    write_timeout,
};
use crate::code::Code;
use crate::compression::CompressorRegistry;
use crate::metadata::Metadata;
use crate::protocol::USER_AGENT;
use crate::random::Random;
use crate::status::wire::read_trailers;

type Fields = Vec<(HeaderName, HeaderValue)>;

const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn fields(list: &[(&'static str, &str)]) -> Fields {
    let one = |(name, value): &(&'static str, &str)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (HeaderName::from_static(name), value)
    };
    list.iter().map(one).collect()
}

fn read(list: &[(&'static str, &str)]) -> Result<RequestFields, Reject> {
    read_request("POST", fields(list), &CompressorRegistry::empty())
}

fn answer(reject: &Reject) -> Fields {
    let mut fields = Fields::new();
    reject.write(&mut |name, value| fields.push((name, value)));
    fields
}

#[test]
fn what_is_written_is_read() {
    let mut metadata = Metadata::new();
    metadata.insert("tenant", "a").unwrap();
    metadata.insert_bin("trace-bin", [1, 2, 3]).unwrap();
    for (subtype, read_as) in [
        ("proto", None),
        ("", None),
        ("json", Some("json")),
        ("x", Some("x")),
    ] {
        let mut out = Fields::new();
        let timeout = Some(Duration::from_millis(1_500));
        let agent = HeaderValue::from_static(USER_AGENT);
        let mut push = |name, value| out.push((name, value));
        write_request(&mut push, subtype, timeout, None, None, &agent, &metadata);
        assert!(
            out.iter()
                .any(|(name, value)| name == "te" && value == "trailers")
        );
        let got = read_request("POST", out, &CompressorRegistry::empty()).unwrap();
        assert_eq!(got.metadata, metadata);
        assert_eq!(got.timeout, timeout);
        assert_eq!(got.subtype.as_ref().map(|s| s.as_str()), read_as);
        assert_eq!(got.user_agent, Some(agent));
        assert!(got.encoding.is_none() && got.accept_encoding.is_none());
    }
}

#[test]
fn what_calls_share_and_what_is_their_own_make_the_head() {
    let mut metadata = Metadata::new();
    metadata.insert("tenant", "a").unwrap();
    let timeout = Some(Duration::from_secs(1));
    let accept = HeaderValue::from_static("gzip");
    let agent = HeaderValue::from_static(USER_AGENT);
    let mut whole = Fields::new();
    let mut push = |name, value| whole.push((name, value));
    write_request(
        &mut push,
        "proto",
        timeout,
        None,
        Some(&accept),
        &agent,
        &metadata,
    );
    let mut parts = Fields::new();
    let mut push = |name, value| parts.push((name, value));
    write_request_form(&mut push, "proto", None, Some(&accept), &agent);
    write_timeout(&mut push, timeout);
    parts.extend(metadata.into_wire());
    assert_eq!(whole, parts);
    let names: Vec<_> = whole.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "te",
            "content-type",
            "grpc-accept-encoding",
            "user-agent",
            "grpc-timeout",
            "tenant"
        ]
    );
}

#[test]
fn a_reader_goes_on_from_where_another_stands() {
    let known = CompressorRegistry::empty();
    let mut first = RequestReader::new(&known);
    let usual = CompressorRegistry::default();
    assert!(first.knows(&known) && first.knows(&CompressorRegistry::empty()));
    assert_eq!(first.knows(&usual), usual.iter().next().is_none());
    for field in fields(&[GRPC, ("user-agent", "x"), ("tenant", "a")]) {
        first.take(field);
    }
    for timeout in ["1S", "2S"] {
        let mut reader = first.clone();
        for field in fields(&[("grpc-timeout", timeout), ("tenant", "b")]) {
            reader.take(field);
        }
        let list = [
            GRPC,
            ("user-agent", "x"),
            ("tenant", "a"),
            ("grpc-timeout", timeout),
            ("tenant", "b"),
        ];
        let (got, whole) = (reader.finish("POST").unwrap(), read(&list).unwrap());
        assert_eq!(format!("{got:?}"), format!("{whole:?}"));
    }
    assert!(matches!(first.finish("GET"), Err(Reject::NotPost)));
}

#[test]
fn user_agent_names_crate_and_version() {
    assert!(USER_AGENT.starts_with("grpc-rust-trunkline/"));
    assert!(USER_AGENT.ends_with(env!("CARGO_PKG_VERSION")));
}

#[test]
fn only_what_users_sent_is_metadata() {
    let got = read(&[
        GRPC,
        ("te", "trailers"),
        ("user-agent", "grpc-go/1.80"),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-accept-encoding", "identity"),
        ("grpc-encoding", "identity"),
        ("content-length", "5"),
        ("grpc-timeout", "1S"),
        ("grpc-previous-rpc-attempts", "1"),
        ("k", "v"),
    ])
    .unwrap();
    let keys: Vec<_> = got.metadata.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["grpc-previous-rpc-attempts", "k"]);
    assert_eq!(got.accept_encoding.unwrap(), "gzip,identity");
    assert!(got.encoding.is_none());
    assert_eq!(got.timeout, Some(Duration::from_secs(1)));
}

#[test]
fn not_post_and_not_grpc() {
    for method in ["GET", "DELETE", "post", ""] {
        let reject =
            read_request(method, fields(&[GRPC]), &CompressorRegistry::empty()).unwrap_err();
        assert!(matches!(reject, Reject::NotPost));
        assert_eq!(reject.http_status(), 405);
        assert_eq!(answer(&reject), fields(&[("allow", "POST")]));
    }
    for list in [
        &[][..],
        &[("content-type", "application/json")],
        &[("content-type", "application/grpc-web")],
    ] {
        let reject = read(list).unwrap_err();
        assert!(matches!(reject, Reject::ContentType));
        assert_eq!(reject.http_status(), 415);
        assert!(answer(&reject).is_empty());
    }
}

#[test]
fn malformed_timeout() {
    for text in ["", "5", "S", "123456789S", "-1S", "1x", "\u{e9}"] {
        let reject = read(&[GRPC, ("grpc-timeout", text)]).unwrap_err();
        assert_eq!(reject.http_status(), 200);
        let Reject::Status(status) = reject else {
            panic!("{reject:?}")
        };
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().starts_with("grpc-timeout"), "{status}");
        assert!(status.message().contains("malformed"), "{status}");
    }
    let got = read(&[GRPC, ("grpc-timeout", "2S"), ("grpc-timeout", "1S")]).unwrap();
    assert_eq!(got.timeout, Some(Duration::from_secs(1)));
}

#[cfg(feature = "gzip")]
#[test]
fn encodings_are_written_and_found_again() {
    let known = CompressorRegistry::default();
    let gzip = known.find("gzip").unwrap();
    let mut out = Fields::new();
    write_request(
        &mut |name, value| out.push((name, value)),
        "proto",
        None,
        Some(gzip),
        known.accept_encoding(),
        &HeaderValue::from_static(USER_AGENT),
        &Metadata::new(),
    );
    let sent = |name: &str| out.iter().find(|(each, _)| each == name).unwrap().1.clone();
    assert_eq!(sent("grpc-encoding"), "gzip");
    assert_eq!(
        sent("grpc-accept-encoding"),
        known.accept_encoding().unwrap()
    );
    let got = read_request("POST", out, &known).unwrap();
    assert_eq!(got.encoding.unwrap().name(), "gzip");
    assert_eq!(got.accept_encoding.as_ref(), known.accept_encoding());

    for (name, found) in [
        (" GZIP ", true),
        ("identity", false),
        ("", false),
        ("gzip,br", false),
    ] {
        let got = read_request("POST", fields(&[GRPC, ("grpc-encoding", name)]), &known);
        match got {
            Ok(got) => assert_eq!(got.encoding.is_some(), found, "{name:?}"),
            Err(reject) => {
                let told = answer(&reject);
                assert!(!found && name != "identity", "{name:?}");
                assert!(told.iter().any(|(name, value)| {
                    name == "grpc-accept-encoding" && Some(value) == known.accept_encoding()
                }));
            }
        }
    }
}

#[test]
fn unknown_encoding_says_what_would_do() {
    let reject = read(&[GRPC, ("grpc-encoding", "br")]).unwrap_err();
    let answer = answer(&reject);
    let accepted = ("grpc-accept-encoding", "identity");
    assert!(answer.contains(&fields(&[accepted])[0]), "{answer:?}");
    let status = read_trailers(answer).unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(
        status.message(),
        "grpc-encoding \"br\" is not supported, only \"identity\""
    );
}

#[test]
fn random_heads_never_panic() {
    let names = [
        "content-type",
        "grpc-timeout",
        "grpc-encoding",
        "te",
        "k",
        "k-bin",
        "user-agent",
    ];
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let mut list = fields(&[GRPC]);
        for _ in 0..random.below(5) {
            let name = HeaderName::from_static(names[random.below(names.len())]);
            if let Ok(value) = HeaderValue::from_bytes(&random.bytes(10)) {
                list.push((name, value));
            }
        }
        if let Err(reject) = read_request("POST", list, &CompressorRegistry::default()) {
            answer(&reject);
        }
    }
}

/// What is refused goes back to the peer, and into logs: not all that it sent.
#[test]
fn a_rejection_quotes_only_the_start_of_a_long_value() {
    let long = "9".repeat(10_000);
    for name in ["grpc-timeout", "grpc-encoding"] {
        let Err(Reject::Status(status)) = read(&[GRPC, (name, &long)]) else {
            panic!("{name} is refused");
        };
        assert!(status.message().contains("999\"..."), "{status}");
        assert!(status.message().len() < 300, "{status}");
    }
}
