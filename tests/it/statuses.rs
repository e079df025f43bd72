//! A handler's error arrives as it was made: code, text of any kind, details, and all of it within
//! what a peer takes.

use trunkline::{Code, Method, MethodDescriptor, Origin, ProstCodec, Shape, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::errors::says;
use crate::handlers::{Scripted, bytes, note, number, plain, scripted};
use crate::world::{World, soon};

/// Fails with code `number`, the request's text as message and its data as details, once and as a
/// stream after one message.
fn failing() -> Scripted {
    let status = |number: u64, text: String, details: bytes::Bytes| {
        let code = Code::from_number(u32::try_from(number).unwrap());
        Status::new(code, text).with_details(details)
    };
    Scripted::default()
        .once(move |_, request| {
            Box::pin(async move { Err(status(request.number, request.text, request.data.into())) })
        })
        .expand(move |_, request, mut responses| {
            Box::pin(async move {
                responses.send(&note("first")).await?;
                Err(status(request.number, request.text, request.data.into()))
            })
        })
}

async fn failing_world() -> (World, EchoClient) {
    let world = World::tcp(scripted(failing())).await;
    let echo = world.echo();
    (world, echo)
}

async fn message_of(echo: &EchoClient, text: &str) -> String {
    let mut request = number(9);
    request.text = text.to_owned();
    let once = soon(echo.once(request.clone())).await.unwrap_err();
    assert_eq!(once.code(), Code::FailedPrecondition);
    let mut notes = soon(echo.expand(request)).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), Some(note("first")));
    let streamed = soon(notes.recv()).await.unwrap_err();
    assert_eq!(
        streamed.message(),
        once.message(),
        "the same with and without messages before"
    );
    once.message().to_owned()
}

#[tokio::test]
async fn every_code_arrives() {
    let (world, echo) = failing_world().await;
    for code in 1..=16 {
        let mut request = number(code);
        request.text = format!("text {code}");
        let failed = soon(echo.once(request)).await.unwrap_err();
        assert_eq!(u64::from(failed.code().number()), code);
        assert_eq!(failed.message(), format!("text {code}"));
        assert_eq!(failed.origin(), Origin::Peer);
        assert!(!failed.is_unprocessed(), "a handler has seen it");
        let expected = format!(
            "{}: /tests.echo.Echo/Once: text {code}",
            failed.code().name()
        );
        assert!(failed.to_string().starts_with(&expected), "{failed}");
    }
    // OK is no error; a handler that makes one of it still fails.
    let failed = soon(echo.once(number(0))).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    drop(echo);
    world.end().await;
}

/// Percent signs, control characters, every plane of Unicode: by list and by seeded chance.
#[tokio::test]
async fn a_message_of_anything_arrives_unchanged() {
    let (world, echo) = failing_world().await;
    let listed = [
        "",
        "%",
        "%%",
        "%41",
        "100 % sure",
        "%zz",
        " outer spaces ",
        "tab\tand\nnewline\r\n",
        "\0\u{1}\u{7f}",
        "\u{e9}\u{df}\u{20ac}",
        "\u{1f980}\u{10ffff}",
        "\"quotes\", commas; =",
    ];
    for text in listed {
        assert_eq!(message_of(&echo, text).await, text);
    }
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..300 {
        let length = random.usize(..100);
        let text: String = (0..length)
            .map(|_| match random.u8(..4) {
                0 => random.char(..),
                1 => char::from(random.u8(..)),
                _ => char::from(random.u8(0x20..0x7f)),
            })
            .collect();
        assert_eq!(message_of(&echo, &text).await, text);
    }
    drop(echo);
    world.end().await;
}

/// The code comes first: a text that no peer would take is cut, at a character, and says so.
#[tokio::test]
async fn a_megabyte_of_message_is_cut_and_marked() {
    let (world, echo) = failing_world().await;
    for character in ["x", "%", "\u{e9}", "\u{1f980}"] {
        let text = character.repeat(1024 * 1024 / character.len());
        let arrived = message_of(&echo, &text).await;
        let mark = format!("... [cut, {} bytes in all]", text.len());
        let kept = arrived
            .strip_suffix(&mark)
            .unwrap_or_else(|| panic!("{arrived:?}"));
        assert!(text.starts_with(kept), "what is left is the beginning");
        // At the worst every byte takes three on the wire, of nearly 4 KiB.
        assert!(
            (1_000..4_096).contains(&kept.len()),
            "{} bytes kept",
            kept.len()
        );
    }
    // Details of 100 KiB, with a short text and with a long one.
    for text in ["short".to_owned(), "y".repeat(1024 * 1024)] {
        let mut request = bytes(100 * 1024);
        (request.number, request.text) = (3, text.clone());
        let failed = soon(echo.once(request)).await.unwrap_err();
        assert_eq!(failed.code(), Code::InvalidArgument);
        assert!(failed.details().is_empty());
        assert!(failed.message().starts_with(&text[..5]), "{failed}");
        assert!(
            failed
                .message()
                .contains("[details left out, 102400 bytes]"),
            "{failed}"
        );
    }
    assert_eq!(
        world.stats().connections_accepted,
        1,
        "the connection has survived all of it"
    );
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn details_arrive_byte_for_byte() {
    let (world, echo) = failing_world().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    for details in [vec![], vec![0], every_byte, vec![0xff; 2_048]] {
        let mut request = number(5);
        request.data = details.clone();
        let failed = soon(echo.once(request)).await.unwrap_err();
        assert_eq!(failed.code(), Code::NotFound);
        assert_eq!(failed.details(), details);
    }
    drop(echo);
    world.end().await;
}

struct NoSuchMethod;

struct NoSuchService;

impl Method for NoSuchMethod {
    type Request = Note;
    type Response = Note;
    type Codec = ProstCodec;
    const DESCRIPTOR: &'static MethodDescriptor = &MethodDescriptor::new(
        "tests.echo.Echo",
        "Nix",
        "/tests.echo.Echo/Nix",
        Shape::Unary,
    );
}

impl Method for NoSuchService {
    type Request = Note;
    type Response = Note;
    type Codec = ProstCodec;
    const DESCRIPTOR: &'static MethodDescriptor =
        &MethodDescriptor::new("tests.Nobody", "Once", "/tests.Nobody/Once", Shape::Unary);
}

/// Two different mistakes, two different texts; both are the server's answer.
#[tokio::test]
async fn an_unknown_method_and_an_unknown_service() {
    let world = World::tcp(plain()).await;
    let method = soon(world.channel.unary::<NoSuchMethod>(note("x")))
        .await
        .unwrap_err();
    let service = soon(world.channel.unary::<NoSuchService>(note("x")))
        .await
        .unwrap_err();
    for status in [&method, &service] {
        assert_eq!(
            (status.code(), status.origin()),
            (Code::Unimplemented, Origin::Peer)
        );
    }
    says(
        &method,
        &["UNIMPLEMENTED", "/tests.echo.Echo/Nix", "method"],
    );
    says(
        &service,
        &[
            "UNIMPLEMENTED",
            "/tests.Nobody/Once",
            "service",
            "tests.Nobody",
        ],
    );
    assert!(method.message().contains("Nix"), "{method}");

    // A stream to a method that is none hears of it too.
    let (mut sender, mut receiver) = soon(world.channel.bidi::<NoSuchMethod>()).await.unwrap();
    let _ = soon(sender.send(&note("x"))).await;
    assert_eq!(
        soon(receiver.recv()).await.unwrap_err().code(),
        Code::Unimplemented
    );
    drop((sender, receiver));
    assert_eq!(world.stats().requests_rejected, 3);
    assert_eq!(world.stats().rpcs_started, 0, "no handler was troubled");
    world.end().await;
}

/// Refused by the network, refused by the server: the same code, told apart without reading text.
#[tokio::test]
async fn a_servers_own_unavailable_is_its_own() {
    let world = World::tcp(scripted(Scripted::default().once(|_, _| {
        Box::pin(async { Err(Status::unavailable("down for maintenance")) })
    })))
    .await;
    let echo = world.echo();
    let told = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(
        (told.code(), told.origin()),
        (Code::Unavailable, Origin::Peer)
    );
    assert!(!told.is_unprocessed());
    says(
        &told,
        &["UNAVAILABLE: /tests.echo.Echo/Once: down for maintenance"],
    );
    drop(echo);
    world.end().await;
}
