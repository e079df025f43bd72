use std::collections::HashMap;

use super::super::super::hpack::Decoder;
use super::pseudo::static_entry;
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
    assert_eq!(request.method(), "POST");
    assert_eq!(request.path(), "/tests.Echo/Unary");
    assert_eq!(request.authority().unwrap(), "localhost:50051");
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

/// One field behind those of a good request, response and trailers.
fn everywhere(name: &str, value: &[u8]) -> [Outcome; 3] {
    let bytes = |list: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static [u8])> {
        list.iter().map(|(n, v)| (*n, v.as_bytes())).collect()
    };
    let behind = |kind, list: &[(&'static str, &'static str)]| {
        let mut fields: Vec<(&str, &[u8])> = bytes(list);
        fields.push((name, value));
        built(kind, &fields)
    };
    [
        behind(Kind::Request, GOOD),
        behind(Kind::Response, &[(":status", "200")]),
        behind(Kind::Trailers, &[("grpc-status", "0")]),
    ]
}

#[test]
fn names_are_lower_case_tokens() {
    for name in [
        "", "A", "Te", "x-Y", "a b", "a\t", "a\0", "a\r", "a\n", "a:", "a(", "\u{e9}", "a/b",
        "a\x7f",
    ] {
        for outcome in everywhere(name, b"x") {
            assert!(is_malformed(&outcome), "{name:?} gives {outcome:?}");
        }
    }
    for name in ["a", "0", "x-y_z.1", "!#$%&'*+-.^_`|~"] {
        for outcome in everywhere(name, b"x") {
            assert!(!is_malformed(&outcome), "{name:?} gives {outcome:?}");
        }
    }
}

#[test]
fn values_have_no_line_ends() {
    for value in ["a\rb", "a\nb", "a\0b", "\r", "\n", "\0", "a\x7f", "a\x01"] {
        for outcome in everywhere("x", value.as_bytes()) {
            assert!(is_malformed(&outcome), "{value:?} gives {outcome:?}");
        }
    }
    // RFC 9113 §8.2.1 forbids outer blanks, but peers write them, and they do no harm.
    for value in [
        "", "a", "a b", "a\tb", "\u{e9}", " a", "a ", "\ta", "a\t", " ",
    ] {
        for outcome in everywhere("x", value.as_bytes()) {
            assert!(!is_malformed(&outcome), "{value:?} gives {outcome:?}");
        }
    }
    for outcome in everywhere("x", b"\xff\x80") {
        assert!(!is_malformed(&outcome), "{outcome:?}");
    }
}

#[test]
fn a_message_may_end_in_a_space_as_peers_write_it() {
    let Outcome::Trailers(fields) = trailers(&[("grpc-status", "2"), ("grpc-message", " why: ")])
    else {
        panic!("no trailers");
    };
    let message = fields.iter().last().unwrap();
    assert_eq!(message.1, " why: ");
    assert!(is_malformed(&trailers(&[("grpc-message", "a\r")])));
}

#[test]
fn nothing_about_connections() {
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ] {
        for outcome in everywhere(name, b"x") {
            assert!(is_malformed(&outcome), "{name} gives {outcome:?}");
        }
    }
    for value in ["", "gzip", "trailers, gzip", "trailers;q=0.5", "Trailers"] {
        for outcome in everywhere("te", value.as_bytes()) {
            assert!(is_malformed(&outcome), "te: {value} gives {outcome:?}");
        }
    }
    for outcome in everywhere("te", b"trailers") {
        assert!(!is_malformed(&outcome), "{outcome:?}");
    }
}

#[test]
fn content_length_is_one_number() {
    let length = |lists: &[&str]| {
        let more: Vec<_> = lists.iter().map(|v| ("content-length", *v)).collect();
        match with(&more) {
            Outcome::Head(Head::Request(request)) => Some(request.content_length),
            Outcome::Malformed(_) => None,
            other => panic!("{lists:?} gives {other:?}"),
        }
    };
    assert_eq!(length(&["0"]), Some(Some(0)));
    assert_eq!(length(&["18446744073709551615"]), Some(Some(u64::MAX)));
    assert_eq!(length(&["7", "7"]), Some(Some(7)));
    assert_eq!(length(&["7", "07"]), Some(Some(7)));
    for wrong in [
        &["18446744073709551616"][..],
        &["-1"],
        &["+1"],
        &["1 "],
        &["1,1"],
        &["0x1"],
        &[""],
        &["7", "8"],
    ] {
        assert_eq!(length(wrong), None, "{wrong:?}");
    }
    let Outcome::Head(Head::Response(head)) =
        response(&[(":status", "200"), ("content-length", "5")])
    else {
        panic!("no response");
    };
    assert_eq!(head.content_length, Some(5));
    let two = [
        (":status", "200"),
        ("content-length", "5"),
        ("content-length", "6"),
    ];
    assert!(is_malformed(&response(&two)));
}

#[test]
fn pseudo_header_fields_of_the_other_direction_and_in_trailers() {
    for (name, value) in GOOD.iter().take(4) {
        assert!(is_malformed(&response(&[
            (":status", "200"),
            (name, value)
        ])));
        assert!(is_malformed(&trailers(&[(name, value)])));
        assert!(is_malformed(&trailers(&[
            ("grpc-status", "0"),
            (name, value)
        ])));
    }
    assert!(is_malformed(&trailers(&[(":status", "200")])));
    assert!(is_malformed(&trailers(&[(":what", "x")])));
}

#[test]
fn what_a_request_is_aimed_at() {
    let replaced = |name: &'static str, value: &str| {
        let field = |(n, v)| if n == name { (n, value) } else { (n, v) };
        request(&GOOD.iter().copied().map(field).collect::<Vec<_>>())
    };
    for (name, wrong) in [
        (":method", &["", "PO ST", "GET\n", "\u{e9}"][..]),
        (":scheme", &["", "1http", "ht/tp", "http:", "\u{e9}"]),
        (":path", &["", "/a b", "/a\0", "/\u{e9}", "/\x7f", " /a"]),
        (
            ":authority",
            &[
                "",
                "a b",
                "a\0",
                "user@host",
                "user:pw@host:1",
                "[::1",
                "a/b",
                "h:x:y",
            ],
        ),
    ] {
        for value in wrong {
            let outcome = replaced(name, value);
            assert!(
                is_malformed(&outcome),
                "{name}: {value:?} gives {outcome:?}"
            );
        }
    }
    for (name, right) in [
        (":method", &["GET", "HEAD", "PRI", "x", "CONNECT"][..]),
        (":scheme", &["https", "HTTP", "grpc+x", "a1"]),
        (":path", &["/", "*", "a.B/c", "/a.B/C?x=y", "/a#b", "/%41"]),
        (
            ":authority",
            &["a", "a:1", "[::1]:50051", "1.2.3.4", "a.b-c:443"],
        ),
    ] {
        for value in right {
            let outcome = replaced(name, value);
            assert!(
                !is_malformed(&outcome),
                "{name}: {value:?} gives {outcome:?}"
            );
        }
    }
}

#[test]
fn the_host_counts_where_there_is_no_authority() {
    let both = |scheme: &str, authority: Option<&str>, hosts: &[&str]| {
        let mut fields = without(":authority");
        fields.retain(|(name, _)| *name != ":scheme");
        let mut fields: Vec<(&str, &str)> = fields;
        fields.insert(0, (":scheme", scheme));
        if let Some(authority) = authority {
            fields.insert(0, (":authority", authority));
        }
        fields.extend(hosts.iter().map(|host| ("host", *host)));
        match request(&fields) {
            Outcome::Head(Head::Request(request)) => Ok(request.authority().cloned()),
            Outcome::Malformed(why) => Err(why),
            other => panic!("{other:?}"),
        }
    };
    let is = |text: &'static str| Ok(Some(Authority::from_static(text)));
    assert_eq!(both("http", None, &[]), Ok(None));
    assert_eq!(both("http", None, &["a:1"]), is("a:1"));
    assert_eq!(both("http", None, &[""]), Ok(None));
    assert_eq!(both("http", Some("a:1"), &["a:1"]), is("a:1"));
    assert_eq!(both("http", Some("a:1"), &["b:1", ""]), is("a:1"));
    assert_eq!(both("http", Some("a"), &["user@a"]), is("a"));
    assert_eq!(both("https", None, &["a", "b"]), is("a"));
    for (scheme, authority, hosts) in [("http", None, &["a b"][..]), ("http", None, &["user@a"])] {
        let got = both(scheme, authority, hosts);
        assert!(
            got.is_err(),
            "{scheme} {authority:?} {hosts:?} gives {got:?}"
        );
    }
}

#[test]
fn a_response_has_one_status_of_three_digits() {
    let status = |value: &str| match response(&[(":status", value)]) {
        Outcome::Head(Head::Response(head)) => Some(head.status),
        Outcome::Malformed(_) => None,
        other => panic!("{value:?} gives {other:?}"),
    };
    for right in ["100", "103", "200", "204", "404", "999"] {
        assert_eq!(status(right), right.parse().ok());
    }
    for wrong in [
        "", "2", "20", "2000", "099", "000", "+20", "2 0", " 200", "20x", "\u{e9}0",
    ] {
        assert_eq!(status(wrong), None, "{wrong:?}");
    }
    assert!(is_malformed(&response(&[(
        "content-type",
        "application/grpc"
    )])));
    assert!(is_malformed(&response(&[
        (":status", "200"),
        (":status", "200")
    ])));
    assert!(is_malformed(&response(&[("a", "b"), (":status", "200")])));
}

/// What HTTP/2 counts.
fn size(fields: &[(&str, &str)]) -> usize {
    fields.iter().map(|(n, v)| n.len() + v.len() + 32).sum()
}

#[test]
fn a_list_is_counted_as_http2_counts() {
    let exact = u32::try_from(size(GOOD)).unwrap();
    for (limit, is_too_large) in [(exact, false), (exact - 1, true), (0, true)] {
        let mut builder = HeadBuilder::new(limit);
        builder.begin(Kind::Request);
        for (name, value) in GOOD {
            builder.field(name.as_bytes(), value.as_bytes(), false);
        }
        assert_eq!(
            builder.finish() == Outcome::TooLarge,
            is_too_large,
            "{limit}"
        );
    }
}

#[test]
fn what_is_beyond_the_limit_is_not_stored() {
    let mut builder = HeadBuilder::new(1_000);
    builder.begin(Kind::Trailers);
    let value = [b'x'; 900];
    for _ in 0..10_000 {
        builder.field(b"name", &value, false);
    }
    assert!(builder.text.capacity() <= 2_000);
    assert!(builder.fields.capacity() <= 16 && builder.wanting.capacity() <= 16);
    assert!(builder.is_huge());
    let Outcome::CutTrailers(fields) = builder.finish() else {
        panic!("not what fits");
    };
    assert_eq!(fields.into_iter().count(), 1);
    // Nor is anything behind the first fault.
    builder.begin(Kind::Trailers);
    builder.field(b":status", b"200", false);
    builder.field(b"name", b"value", false);
    assert!(builder.text.is_empty() && builder.fields.is_empty());
    assert!(is_malformed(&builder.finish()));
}

#[test]
fn what_must_not_be_indexed_is_marked() {
    let mut builder = HeadBuilder::new(LIMIT);
    builder.begin(Kind::Trailers);
    builder.field(b"authorization", b"Bearer x", true);
    builder.field(b"tenant", b"a", false);
    // A fault in it is shown to users, so it must not be taken for a secret.
    builder.field(b"grpc-timeout", b"1X", true);
    let Outcome::Trailers(fields) = builder.finish() else {
        panic!("no trailers");
    };
    let marked: Vec<_> = fields.iter().map(|(_, v)| v.is_sensitive()).collect();
    assert_eq!(marked, [true, false, false]);
}

#[test]
fn known_names_and_values_are_what_came() {
    for name in [
        "te",
        "content-type",
        "user-agent",
        "grpc-timeout",
        "grpc-encoding",
        "grpc-accept-encoding",
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-previous-rpc-attempts",
        "grpc-retry-pushback-ms",
        "grpc-trace-bin",
        "grpc-tags-bin",
        "traceparent",
        "tracestate",
    ] {
        let known = names::known(name.as_bytes()).unwrap();
        assert_eq!(known, name);
        for value in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc+json",
            "trailers",
            "0",
            "13",
            "identity",
            "gzip",
            "gzip,identity",
        ] {
            let got = names::known_value(value.as_bytes());
            assert!(got.is_none_or(|got| got == value), "{name}: {value}");
        }
    }
}

/// The rules again, in other words: which of them the fields of a request break.
fn is_lawful(fields: &[(Vec<u8>, Vec<u8>)]) -> bool {
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let regular = fields.iter().position(|(n, _)| !n.starts_with(b":"));
    let (pseudo, others) = fields.split_at(regular.unwrap_or(fields.len()));
    let mut names: Vec<_> = pseudo.iter().map(|(n, _)| text(n)).collect();
    names.sort();
    names.retain(|name| name != ":authority");
    let authorities = pseudo.len() - names.len();
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    names == [":method", ":path", ":scheme"]
        && authorities <= 1
        && pseudo
            .iter()
            .all(|(name, value)| match text(name).as_str() {
                ":method" => !value.is_empty() && value.iter().all(token),
                ":path" => !value.is_empty() && value.iter().all(|b| (0x21..0x7f).contains(b)),
                _ => true,
            })
        && others.iter().all(|(name, value)| {
            let name = text(name);
            !name.is_empty()
                && name.bytes().all(|b| token(&b) && !b.is_ascii_uppercase())
                && !["connection", "upgrade"].contains(&name.as_str())
                && (name != "te" || value == b"trailers")
                && !value.iter().any(|b| *b < 32 && *b != 9 || *b == 127)
        })
}

#[test]
fn any_fields_are_judged_by_the_rules_and_kept_as_they_came() {
    let mut random = fastrand::Rng::with_seed(9);
    let names: &[&str] = &[
        ":method",
        ":scheme",
        ":path",
        "te",
        "a",
        "b-bin",
        "A",
        "",
        ":x",
        "x y",
        "grpc-timeout",
        "upgrade",
        "connection",
        "user-agent",
    ];
    let values: &[&[u8]] = &[
        b"",
        b"trailers",
        b"a",
        b"a\n",
        b" a",
        b"b\t",
        b"\xff",
        b"POST",
        b"http",
        b"/a",
        b"0",
        b"gzip",
    ];
    let mut lawful = 0;
    for _ in 0..20_000 {
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, value) in GOOD.iter().take(4) {
            if random.u8(..) > 5 {
                fields.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            }
        }
        for _ in 0..random.usize(..5) {
            let pick = random.usize(..names.len());
            let name = names[if random.bool() { 4 } else { pick }];
            let value = values[random.usize(..values.len())];
            // Which schemes there are is for another test.
            let value = if name == ":scheme" { b"http" } else { value };
            fields.push((name.as_bytes().to_vec(), value.to_vec()));
        }
        if random.u8(..) < 20 {
            random.shuffle(&mut fields);
        }
        let mut builder = HeadBuilder::new(LIMIT);
        builder.begin(Kind::Request);
        for (name, value) in &fields {
            builder.field(name, value, random.bool());
        }
        match builder.finish() {
            Outcome::Head(Head::Request(request)) => {
                assert!(is_lawful(&fields), "{fields:?} was taken");
                let got = request.fields.into_iter();
                let got: Vec<(Vec<u8>, Vec<u8>)> = got
                    .map(|(n, v)| (n.as_str().into(), v.as_bytes().into()))
                    .collect();
                fields.retain(|(name, _)| !name.starts_with(b":"));
                assert_eq!(got, fields);
                lawful += 1;
            }
            Outcome::Malformed(why) => {
                assert!(!is_lawful(&fields), "{fields:?} was refused: {why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(lawful > 2_000, "only {lawful}");
}

#[test]
fn what_lies_in_the_table_is_judged_as_if_it_came_anew() {
    let mut random = fastrand::Rng::with_seed(10);
    let long = "x".repeat(400);
    // Entries of the table: more than are remembered, each with a number of its own.
    let names = [
        ":method",
        ":scheme",
        ":path",
        ":authority",
        ":status",
        "te",
        "content-type",
        "host",
        "content-length",
        "connection",
        "x",
        "X",
        "a-bin",
        "grpc-message",
        "grpc-status",
    ];
    let values = [
        "POST",
        "GET",
        "http",
        "https",
        "/a.B/C",
        "a:1",
        "200",
        "99",
        "trailers",
        "",
        " x",
        "x\n",
        "application/grpc",
        "0",
        long.as_str(),
    ];
    let mut table: Vec<(&str, &str)> = Vec::new();
    // As the static table has them.
    let entries = [
        (3, GOOD[0]),
        (6, GOOD[1]),
        (7, (":scheme", "https")),
        (8, (":status", "200")),
    ];
    for _ in 0..200 {
        let name = names[random.usize(..names.len())];
        table.push((name, values[random.usize(..values.len())]));
    }
    for good in GOOD {
        table.push(*good);
    }
    let mut builder = HeadBuilder::new(600);
    let mut heads = 0;
    for _ in 0..20_000 {
        let kind = [Kind::Request, Kind::Response, Kind::Trailers][random.usize(..3)];
        let mut list: Vec<(u64, (&str, &str))> = Vec::new();
        for (place, good) in GOOD.iter().enumerate().take(4) {
            if random.u8(..) > 20 {
                let number = 62 + table.len() - GOOD.len() + place;
                list.push((u64::try_from(number).unwrap(), *good));
            }
        }
        if random.bool() {
            list = vec![entries[random.usize(..entries.len())]];
        }
        for _ in 0..random.usize(..4) {
            let number = random.usize(..table.len());
            list.push((u64::try_from(number + 62).unwrap(), table[number]));
        }
        let mut fresh = HeadBuilder::new(600);
        builder.begin(kind);
        fresh.begin(kind);
        for (number, (name, value)) in &list {
            builder.indexed(*number, name.as_bytes(), value.as_bytes());
            fresh.field(name.as_bytes(), value.as_bytes(), false);
        }
        let outcome = builder.finish();
        assert_eq!(outcome, fresh.finish(), "{list:?}");
        heads += usize::from(matches!(outcome, Outcome::Head(_)));
        if random.u8(..) == 0 {
            builder.shrink();
        }
    }
    assert!(heads > 1_000, "only {heads}");
}

#[test]
fn the_static_entries_that_are_known_are_those() {
    for (number, field) in [
        (static_entry::METHOD_POST, (":method", "POST")),
        (static_entry::SCHEME_HTTP, (":scheme", "http")),
        (static_entry::SCHEME_HTTPS, (":scheme", "https")),
        (static_entry::STATUS_200, (":status", "200")),
    ] {
        let mut got = None;
        let block = [0x80 | u8::try_from(number).unwrap()];
        let mut see = |name: &[u8], value: &[u8], _: bool| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            got = Some((text(name), text(value)));
        };
        Decoder::new(4096).decode(&block, &mut see).unwrap();
        assert_eq!(got, Some((field.0.to_owned(), field.1.to_owned())));
    }
}

#[test]
fn a_number_never_means_another_field() {
    struct Seen(HashMap<u64, (Vec<u8>, Vec<u8>)>);
    impl Sink for Seen {
        fn field(&mut self, _: &[u8], _: &[u8], _: bool) {}

        fn indexed(&mut self, number: u64, name: &[u8], value: &[u8]) {
            let field = (name.to_vec(), value.to_vec());
            assert_eq!(
                *self.0.entry(number).or_insert_with(|| field.clone()),
                field
            );
        }
    }
    let mut random = fastrand::Rng::with_seed(11);
    let mut seen = Seen(HashMap::new());
    let mut decoder = Decoder::new(4096);
    let mut entries = 0;
    for round in 0..1_000_u32 {
        let mut block = Vec::new();
        match random.u8(..) {
            // Everything goes, or most of it.
            0..=3 => {
                block.extend([0x20, 0x3f, 0xe1, 0x1f]);
                entries = 0;
            }
            4..=10 => block.extend([0x3f, random.u8(..127), 0x3f, 0xe1, 0x1f]),
            // More than the table holds.
            11 => {
                block.extend([0x40, 1, b'n', 0x7f, 0xa0, 0x1f]);
                block.extend([b'x'; 0x7f + 0x0fa0]);
                entries = 0;
            }
            _ => {
                let value = round.to_string();
                block.extend([0x40, 1, b'n', u8::try_from(value.len()).unwrap()]);
                block.extend(value.bytes());
                entries += 1;
            }
        }
        decoder.decode(&block, &mut seen).unwrap();
        // The oldest may be evicted, which ends the block and its decoder's life, not the promise.
        for index in (62..62 + entries.min(60)).chain(1..62) {
            let mut block = vec![0x80 | index.min(127)];
            if index >= 127 {
                block.push(index - 127);
            }
            if decoder.decode(&block, &mut seen).is_err() {
                entries = entries.min(index - 62);
                break;
            }
        }
    }
    assert!(seen.0.len() > 800, "only {}", seen.0.len());
}
