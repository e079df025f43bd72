use super::*;

const LIMIT: u32 = 16 * 1024;

const GOOD: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/tests.Echo/Unary"),
    (":authority", "localhost:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
];

fn built(kind: Kind, fields: &[(&str, &[u8])]) -> Outcome {
    let mut builder = HeadBuilder::new(LIMIT);
    builder.begin(kind);
    for (name, value) in fields {
        builder.field(name.as_bytes(), value, false);
    }
    builder.finish()
}

fn request(fields: &[(&str, &str)]) -> Outcome {
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    built(Kind::Request, &fields)
}

fn response(fields: &[(&str, &str)]) -> Outcome {
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    built(Kind::Response, &fields)
}

fn trailers(fields: &[(&str, &str)]) -> Outcome {
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    built(Kind::Trailers, &fields)
}

fn good_request(fields: &[(&str, &str)]) -> Request {
    match request(fields) {
        Outcome::Head(Head::Request(request)) => request,
        other => panic!("{fields:?} gives {other:?}"),
    }
}

/// The good request with these fields behind it.
fn with(more: &[(&str, &str)]) -> Outcome {
    request(&[GOOD, more].concat())
}

/// The good request with one pseudo-header field left out.
fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    GOOD.iter().copied().filter(|(n, _)| *n != name).collect()
}

fn is_malformed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Malformed(_))
}

#[test]
fn a_request_as_clients_send_it() {
    let more = [("grpc-timeout", "1S"), ("user-agent", "x"), ("a-bin", "AA")];
    let request = good_request(&[GOOD, &more].concat());
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/tests.Echo/Unary");
    assert_eq!(request.authority.as_ref().unwrap(), "localhost:50051");
    assert_eq!(request.content_length, None);
    let fields: Vec<_> = request.fields.into_iter().collect();
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    let expected: Vec<_> = GOOD.iter().skip(4).chain(&more).copied().collect();
    assert_eq!(fields, expected);
}

#[test]
fn pseudo_header_fields_of_a_request() {
    for name in [":method", ":scheme", ":path"] {
        let missing = without(name);
        assert!(is_malformed(&request(&missing)), "without {name}");
    }
    for field in GOOD.iter().take(4) {
        let twice = [&[*field], GOOD].concat();
        assert!(is_malformed(&request(&twice)), "{field:?} twice");
    }
    for name in [":status", ":protocol", ":", ":Path", ":what"] {
        let unknown = [&[(name, "200")], GOOD].concat();
        assert!(is_malformed(&request(&unknown)), "{name}");
    }
    let late = [&[("te", "trailers")], GOOD].concat();
    assert!(is_malformed(&request(&late)));
}

#[test]
fn a_builder_forgets_the_block_before() {
    let mut builder = HeadBuilder::new(LIMIT);
    builder.begin(Kind::Request);
    builder.field(b":nothing", b"x", false);
    assert!(is_malformed(&builder.finish()));
    builder.begin(Kind::Trailers);
    builder.field(b"grpc-status", b"0", false);
    let Outcome::Trailers(fields) = builder.finish() else {
        panic!("trailers");
    };
    assert_eq!(fields.len(), 1);
}

#[test]
fn responses_and_trailers() {
    let Outcome::Head(Head::Response(head)) = response(&[(":status", "200"), ("x", "y")]) else {
        panic!("a response");
    };
    assert_eq!((head.status, head.fields.len()), (200, 1));
    assert!(is_malformed(&response(&[("x", "y")])));
    assert!(is_malformed(&trailers(&[(":status", "200")])));
    assert!(is_malformed(&with(&[("connection", "close")])));
}
