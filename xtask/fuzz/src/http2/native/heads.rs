//! Any fields through the rules for heads and trailers.
//!
//! Input: a byte for the kind, two for the limit, then fields: a byte that picks a name (or says that
//! one follows), the value, and whether it is never to be indexed.

use http::HeaderValue;
use trunkline_core::CompressorRegistry;
use trunkline_core::protocol::{read_request, read_response_head, read_trailers};

use super::head::{FieldList, Head, HeadBuilder, Kind, Outcome, Request};
use super::hpack::Sink;
use crate::Source;

/// Names that mean something to somebody. A name of the input's own stands where one is empty.
const NAMES: &[&str] = &[
    ":method",
    ":scheme",
    ":path",
    ":authority",
    ":status",
    "",
    "te",
    "content-type",
    "host",
    "content-length",
    "connection",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-status",
    "grpc-message",
    "user-agent",
    "a-bin",
    "authorization",
];

struct Field {
    name: Vec<u8>,
    value: Vec<u8>,
    never_index: bool,
}

pub(crate) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let kind = source.pick(&[Kind::Request, Kind::Response, Kind::Trailers]);
    let limit = u32::from(source.u16());
    let mut fields = Vec::new();
    while !source.is_empty() {
        let name = match source.pick(NAMES) {
            "" => source.short().to_vec(),
            name => name.as_bytes().to_vec(),
        };
        fields.push(Field {
            name,
            value: source.short().to_vec(),
            never_index: source.flag(),
        });
    }
    let mut builder = HeadBuilder::new(limit);
    let outcome = judged(&mut builder, kind, &fields);
    assert_eq!(outcome, judged(&mut builder, kind, &fields), "it forgets");
    let size: usize = fields
        .iter()
        .map(|f| f.name.len() + f.value.len() + 32)
        .sum();
    let is_too_large = size > usize::try_from(limit).unwrap_or(usize::MAX);
    match outcome {
        Outcome::TooLarge => assert!(is_too_large),
        Outcome::CutTrailers(list) => {
            assert!(is_too_large && kind == Kind::Trailers);
            // What is left stands among what came, in that order.
            let mut sent = fields.iter();
            for (name, value) in list.iter() {
                let same = |field: &Field| {
                    field.name == name.as_str().as_bytes() && field.value == value.as_bytes()
                };
                assert!(sent.any(same), "{name} was not sent");
            }
        }
        Outcome::Malformed(why) => assert!(!why.is_empty()),
        Outcome::Trailers(list) => {
            assert!(!is_too_large && kind == Kind::Trailers);
            kept(&fields, &[], &list);
            let _any = read_trailers(list);
        }
        Outcome::Head(Head::Request(request)) => {
            assert!(!is_too_large && kind == Kind::Request);
            aimed(&fields, &request);
            kept(
                &fields,
                &[":method", ":scheme", ":path", ":authority"],
                &request.fields,
            );
            length(&fields, request.content_length);
            let method = request.method().to_owned();
            let _any = read_request(&method, request.fields, &CompressorRegistry::default());
        }
        Outcome::Head(Head::Response(response)) => {
            assert!(!is_too_large && kind == Kind::Response);
            assert!((100..1000).contains(&response.status));
            let status = response.status.to_string();
            assert_eq!(all(&fields, ":status"), [status.as_bytes()]);
            kept(&fields, &[":status"], &response.fields);
            length(&fields, response.content_length);
            let known = CompressorRegistry::default();
            let _any = read_response_head(response.status, false, response.fields, &known);
        }
    }
}

fn judged(builder: &mut HeadBuilder, kind: Kind, fields: &[Field]) -> Outcome {
    builder.begin(kind);
    for field in fields {
        builder.field(&field.name, &field.value, field.never_index);
    }
    builder.finish()
}

fn all<'a>(fields: &'a [Field], name: &str) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|field| field.name == name.as_bytes());
    named.map(|field| field.value.as_slice()).collect()
}

/// Nothing is lost, changed or let through that no field may be.
fn kept(fields: &[Field], pseudo: &[&str], list: &FieldList) {
    let is_pseudo = |field: &&Field| field.name.starts_with(b":");
    let first = fields.iter().take_while(is_pseudo).count();
    for field in fields.iter().take(first) {
        let name = String::from_utf8_lossy(&field.name);
        assert!(pseudo.contains(&&*name), "{name}");
        assert_eq!(all(fields, &name).len(), 1, "{name}");
    }
    let expected: Vec<_> = fields
        .iter()
        .skip(first)
        .map(|f| (&f.name[..], &f.value[..]))
        .collect();
    let got = list
        .iter()
        .map(|(n, v)| (n.as_str().as_bytes(), HeaderValue::as_bytes(v)));
    assert_eq!(got.collect::<Vec<_>>(), expected);
    for (name, value) in expected {
        assert!(!name.is_empty() && !name.starts_with(b":"));
        assert!(
            !name
                .iter()
                .any(|b| b.is_ascii_uppercase() || b" \0\r\n\t".contains(b))
        );
        assert!(name != b"connection");
        assert!(name != b"te" || value == b"trailers");
        assert!(!value.iter().any(|b| b"\0\r\n".contains(b)));
    }
}

fn aimed(fields: &[Field], request: &Request) {
    assert_eq!(all(fields, ":method"), [request.method().as_bytes()]);
    assert_eq!(all(fields, ":path"), [request.path().as_bytes()]);
    let path = request.path().as_bytes();
    assert!(!path.is_empty() && path.iter().all(u8::is_ascii_graphic));
    assert_eq!(all(fields, ":scheme").len(), 1);
    let said = match all(fields, ":authority").first() {
        Some(authority) => Some(*authority),
        None => all(fields, "host").first().copied(),
    };
    let got = request.authority().map(|a| a.as_str().as_bytes());
    assert_eq!(got, said.filter(|said| !said.is_empty()));
}

fn length(fields: &[Field], length: Option<u64>) {
    let lengths = all(fields, "content-length");
    assert_eq!(length.is_some(), !lengths.is_empty());
    for text in lengths {
        let text = std::str::from_utf8(text).expect("digits");
        assert_eq!(text.parse().ok(), length);
    }
}
