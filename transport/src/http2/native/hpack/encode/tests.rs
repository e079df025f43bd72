use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use trunkline_core::CompressorRegistry;

use super::super::forms::list_size;
use super::super::{Decoder, FieldsWriter};
use super::*;

type Field = (String, String, bool);

const PATHS: [&str; 5] = [
    "/tests.echo.Echo/Unary",
    "/tests.echo.Echo/ServerStreaming",
    "/grpc.health.v1.Health/Check",
    "/a.B/C",
    "/a.package.with.a.name.that.is.long/AndAServiceWhoseNameIsLongAsWell/AndAMethod",
];

fn form(path: &'static str) -> RequestForm {
    RequestForm {
        https: false,
        authority: Authority::from_static("localhost:50051"),
        path,
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        user_agent: HeaderValue::from_static("grpc-rust-trunkline/0.1.0"),
    }
}

fn grpc(subtype: &'static str) -> ResponseHead {
    ResponseHead::Grpc {
        subtype,
        encoding: None,
    }
}

fn fields(all: &[(&'static str, &'static str)]) -> Fields {
    let mut writer = FieldsWriter::new();
    for (name, value) in all {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        writer.push(&name, &value);
    }
    writer.finish()
}

fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let mut sink = |name: &[u8], value: &[u8], never_index: bool| {
        fields.push((text(name), text(value), never_index));
    };
    decoder.decode(block, &mut sink).unwrap();
    fields
}

fn counted(fields: &[Field]) -> usize {
    let sizes = fields
        .iter()
        .map(|(name, value, _)| name.len() + value.len() + 32);
    sizes.sum()
}

fn encoded(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

fn plain(all: &[(&str, &str)]) -> Vec<Field> {
    let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned(), false);
    all.iter().map(field).collect()
}

#[test]
fn a_request_has_the_fields_of_its_form_and_those_of_its_call() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    let registry = CompressorRegistry::default();
    let mut form = form("/tests.echo.Echo/Unary");
    form.https = true;
    form.subtype = "json";
    form.accept_encoding = registry.accept_encoding().cloned();
    let extra = fields(&[("grpc-timeout", "100m"), ("x-key", "value")]);
    let mut expected = plain(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/tests.echo.Echo/Unary"),
        (":authority", "localhost:50051"),
        ("te", "trailers"),
        ("content-type", "application/grpc+json"),
    ]);
    if let Some(accept) = &form.accept_encoding {
        expected.extend(plain(&[("grpc-accept-encoding", accept.to_str().unwrap())]));
    }
    expected.extend(plain(&[
        ("user-agent", "grpc-rust-trunkline/0.1.0"),
        ("grpc-timeout", "100m"),
        ("x-key", "value"),
    ]));
    for _ in 0..3 {
        let block = encoded(|out| encoder.request(&form, &extra, out));
        let found = read(&mut decoder, &block);
        assert_eq!(found, expected);
        assert_eq!(list_size(&form, &extra), counted(&found));
    }
}

#[test]
fn a_response_has_the_fields_of_its_form_and_those_of_its_call() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    let extra = fields(&[("x-key", "value")]);
    let head = grpc("");
    for _ in 0..3 {
        let block = encoded(|out| encoder.response(&head, &extra, out));
        let found = read(&mut decoder, &block);
        let expected = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("x-key", "value"),
        ];
        assert_eq!(found, plain(&expected));
        assert_eq!(list_size(&head, &extra), counted(&found));

        let block = encoded(|out| encoder.trailers(&fields(&[("grpc-status", "0")]), out));
        assert_eq!(read(&mut decoder, &block), plain(&[("grpc-status", "0")]));
        let status = [("grpc-status", "5"), ("grpc-message", "no")];
        let block = encoded(|out| encoder.trailers(&fields(&status), out));
        assert_eq!(read(&mut decoder, &block), plain(&status));
    }
    let version = decoder.version();
    for status in [200, 204, 405, 415, 431, 503] {
        let head = ResponseHead::Plain(status);
        let block = encoded(|out| encoder.response(&head, &Fields::default(), out));
        let found = read(&mut decoder, &block);
        assert_eq!(found, plain(&[(":status", &status.to_string())]));
        assert_eq!(list_size(&head, &Fields::default()), counted(&found));
    }
    assert_eq!(decoder.version(), version, "no other status takes a place");
}

#[test]
fn what_was_sent_once_takes_an_octet_per_field() {
    let mut encoder = Encoder::new();
    let none = Fields::default();
    let ok = fields(&[("grpc-status", "0")]);
    let form = form("/tests.echo.Echo/Unary");
    let sizes: Vec<[usize; 3]> = (0..3)
        .map(|_| {
            [
                encoded(|out| encoder.request(&form, &none, out)).len(),
                encoded(|out| encoder.response(&grpc(""), &none, out)).len(),
                encoded(|out| encoder.trailers(&ok, out)).len(),
            ]
        })
        .collect();
    // The response's content type is in the table already: the request has put it there.
    assert_eq!(sizes, [[88, 2, 15], [7, 2, 1], [7, 2, 1]]);
}

#[test]
fn what_a_call_says_for_itself_never_gets_into_the_table() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    let form = form("/tests.echo.Echo/Unary");
    let mut request = |extra: &Fields| {
        let block = encoded(|out| encoder.request(&form, extra, out));
        read(&mut decoder, &block);
        decoder.version()
    };
    let version = request(&Fields::default());
    assert_eq!(request(&fields(&[("x-key", "value")])), version);
    assert_eq!(request(&fields(&[("authorization", "Bearer x")])), version);
}

#[test]
fn a_secret_in_a_form_is_never_to_be_indexed() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    let mut form = form("/a.B/C");
    for secret in [false, true, false] {
        form.user_agent.set_sensitive(secret);
        let block = encoded(|out| encoder.request(&form, &Fields::default(), out));
        let found = read(&mut decoder, &block);
        let agent = found.iter().find(|(name, _, _)| name == "user-agent");
        assert_eq!(agent.map(|(_, _, never)| *never), Some(secret));
    }
}

#[test]
fn an_authority_goes_out_in_its_own_letter_case() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    for authority in ["localhost", "LOCALHOST", "localhost"] {
        let mut form = form("/a.B/C");
        form.authority = Authority::from_static(authority);
        let block = encoded(|out| encoder.request(&form, &Fields::default(), out));
        let found = read(&mut decoder, &block);
        assert!(found.contains(&(":authority".to_owned(), authority.to_owned(), false)));
    }
}

#[test]
fn a_peer_without_a_table_is_sent_literals() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4_096);
    encoder.set_peer_limit(0);
    decoder.set_limit(0);
    let form = form("/a.B/C");
    for round in 0..3 {
        let block = encoded(|out| encoder.request(&form, &Fields::default(), out));
        assert_eq!(block.first() == Some(&0x20), round == 0, "told once");
        assert_eq!(read(&mut decoder, &block).len(), 7);
    }
}

/// Forms that are few, or so many that they drive each other out of the peer's table.
fn random_form(random: &mut fastrand::Rng, many: &[&'static str]) -> RequestForm {
    let path = if random.bool() { &PATHS[..] } else { many };
    let mut form = form(random.choice(path).unwrap());
    form.https = random.u8(..8) == 0;
    form.subtype = *random.choice(&["", "proto", "json", "x"]).unwrap();
    if random.u8(..8) == 0 {
        form.authority = Authority::from_static("other.example:443");
    }
    if random.bool() {
        form.accept_encoding = Some(HeaderValue::from_static("identity,gzip"));
    }
    if random.u8(..8) == 0 {
        form.user_agent.set_sensitive(true);
    }
    form
}

fn random_extra(random: &mut fastrand::Rng) -> Fields {
    let mut writer = FieldsWriter::new();
    let mut push = |name: &'static str, value: HeaderValue| {
        writer.push(&HeaderName::from_static(name), &value);
    };
    if random.bool() {
        push("grpc-status", HeaderValue::from(random.u16(..3)));
    }
    if random.bool() {
        push("grpc-timeout", HeaderValue::from(random.u16(..)));
    }
    for name in ["x-key", "authorization", "x-a-long-name-of-metadata-bin"] {
        if random.u8(..4) == 0 {
            let length = random.usize(..60);
            let value: Vec<u8> = (0..length).map(|_| random.u8(b' '..=b'~')).collect();
            let value = HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static("?"));
            push(name, value);
        }
    }
    writer.finish()
}

/// Whatever was sent before: a template gives the octets that its fields give one by one, and the
/// other side reads those fields.
#[test]
fn templates_and_fields_one_by_one_give_the_same_octets() {
    let many: Vec<&'static str> = (0..200)
        .map(|number| &*format!("/some.package.Service{number}/Method").leak())
        .collect();
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut fast, mut slow) = (Encoder::new(), Encoder::new());
        let mut decoder = Decoder::new(4_096);
        for _ in 0..400 {
            if random.u8(..20) == 0 {
                let limit = *random.choice(&[0, 40, 300, 1_000, 4_096, 65_536]).unwrap();
                fast.set_peer_limit(limit);
                slow.set_peer_limit(limit);
                decoder.set_limit(limit);
            }
            if random.u8(..6) == 0 {
                continue;
            }
            let extra = random_extra(&mut random);
            slow.shrink();
            let (ours, twin, size) = match random.u8(..3) {
                0 => {
                    let form = random_form(&mut random, &many);
                    (
                        encoded(|out| fast.request(&form, &extra, out)),
                        encoded(|out| slow.request(&form, &extra, out)),
                        list_size(&form, &extra),
                    )
                }
                1 => {
                    let head = match random.bool() {
                        true => grpc(random.choice(&["", "json", "x"]).unwrap()),
                        false => ResponseHead::Plain(random.u16(100..600)),
                    };
                    (
                        encoded(|out| fast.response(&head, &extra, out)),
                        encoded(|out| slow.response(&head, &extra, out)),
                        list_size(&head, &extra),
                    )
                }
                _ => (
                    encoded(|out| fast.trailers(&extra, out)),
                    encoded(|out| slow.trailers(&extra, out)),
                    extra.list_size(),
                ),
            };
            assert_eq!(ours, twin);
            assert_eq!(counted(&read(&mut decoder, &ours)), size);
        }
    }
}
