//! Metadata survives the way there and back, and what cannot be sent is said before anything is.

use bytes::Bytes;
use trunkline::{Code, Metadata, MetadataError, Origin, Response, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, number, scripted};
use crate::world::{World, soon};

/// Sends the request's metadata back: in headers, in trailers, and with an error if asked to.
fn mirror() -> Scripted {
    Scripted::default()
        .once(|cx, request| {
            Box::pin(async move {
                let metadata = cx.metadata().clone();
                if request.text == "fail" {
                    return Err(Status::aborted("asked to").with_metadata(metadata));
                }
                let (headers, trailers) = (metadata.clone(), metadata);
                Ok(Response::from_parts(headers, request, trailers))
            })
        })
        .expand(|cx, request, mut responses| {
            Box::pin(async move {
                responses.with_headers(|headers| headers.extend(cx.metadata().clone()))?;
                for n in 0..request.number {
                    responses.send(&number(n)).await?;
                }
                responses.with_trailers(|trailers| trailers.extend(cx.metadata().clone()))?;
                Ok(())
            })
        })
}

async fn mirrored() -> (World, EchoClient) {
    let world = World::tcp(scripted(mirror())).await;
    let echo = world.echo();
    (world, echo)
}

fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

/// Every byte value, whole and one by one (which needs every length of padding), both ways, in
/// headers, trailers and with errors.
#[tokio::test]
async fn all_256_byte_values_survive_in_binary_metadata() {
    let (world, echo) = mirrored().await;
    let check = |metadata: &Metadata| {
        assert_eq!(metadata.get_bin("all-bin").unwrap(), all_bytes());
        let each: Vec<_> = metadata.get_all_bin("each-bin").collect();
        let expected: Vec<_> = all_bytes().into_iter().map(|byte| vec![byte]).collect();
        assert_eq!(each, expected);
        assert_eq!(metadata.get_bin("none-bin").unwrap(), Bytes::new());
    };
    let call = |text: &str| {
        let mut call = echo.once(note(text)).metadata_bin("all-bin", all_bytes());
        for byte in all_bytes() {
            call = call.metadata_bin("each-bin", [byte]);
        }
        call.metadata_bin("none-bin", [])
    };
    let reply = soon(call("well")).await.unwrap();
    check(reply.headers());
    check(reply.trailers());
    // An error's metadata shares its 8 KiB block with the status: the list alone is larger.
    let failed = echo.once(note("fail")).metadata_bin("all-bin", all_bytes());
    let failed = soon(failed).await.unwrap_err();
    assert_eq!(failed.code(), Code::Aborted, "{failed}");
    assert_eq!(failed.metadata().get_bin("all-bin").unwrap(), all_bytes());
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn text_metadata_keeps_order_and_doubles_and_every_legal_character() {
    let (world, echo) = mirrored().await;
    let printable: String = (0x21..=0x7e_u8).map(char::from).collect();
    let reply = echo
        .once(note("well"))
        .metadata("a", "1")
        .metadata("b.c_d-e0", "inner spaces  are kept")
        .metadata("a", "2")
        .metadata("printable", &printable)
        .metadata("empty", "")
        .metadata("a", "3, 4");
    let reply = soon(reply).await.unwrap();
    for metadata in [reply.headers(), reply.trailers()] {
        let all: Vec<_> = metadata.get_all("a").collect();
        assert_eq!(all, ["1", "2", "3, 4"]);
        assert_eq!(metadata.get("b.c_d-e0"), Some("inner spaces  are kept"));
        assert_eq!(metadata.get("printable"), Some(printable.as_str()));
        assert_eq!(metadata.get("empty"), Some(""));
    }
    drop(echo);
    world.end().await;
}

/// A stream's headers come with its first message, its trailers after its last.
#[tokio::test]
async fn streams_carry_metadata_at_both_ends() {
    let (world, echo) = mirrored().await;
    for count in [0, 2] {
        let call = echo
            .expand(number(count))
            .metadata("a", "1")
            .metadata_bin("b-bin", [0, 255]);
        let mut notes = soon(call).await.unwrap();
        assert_eq!(
            soon(notes.headers()).await.unwrap().get("a"),
            Some("1"),
            "{count} messages"
        );
        assert!(notes.trailers().is_empty(), "not yet");
        while soon(notes.recv()).await.unwrap().is_some() {}
        assert_eq!(
            notes.trailers().get_bin("b-bin").unwrap(),
            [0, 255].as_slice()
        );
    }
    drop(echo);
    world.end().await;
}

/// The protocol's own fields are neither shown as metadata nor mirrored into it.
#[tokio::test]
async fn the_protocols_own_fields_are_not_metadata() {
    let (world, echo) = mirrored().await;
    let reply = soon(echo.once(note("well"))).await.unwrap();
    assert!(reply.headers().is_empty(), "{:?}", reply.headers());
    assert!(reply.trailers().is_empty(), "{:?}", reply.trailers());
    let failed = soon(echo.once(note("fail"))).await.unwrap_err();
    assert!(failed.metadata().is_empty(), "{failed:?}");
    drop(echo);
    world.end().await;
}

/// Faults are found when the entry is given, told when the call is awaited, and nothing is sent.
#[tokio::test]
async fn entries_that_cannot_be_sent_fail_the_call_and_name_their_key() {
    let (world, echo) = mirrored().await;
    soon(echo.once(note("connects"))).await.unwrap();
    let reserved = [
        "grpc-timeout",
        "grpc-anything",
        "te",
        "content-type",
        "user-agent",
        "host",
    ];
    let forbidden = [
        ":path",
        "connection",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
    ];
    let malformed = [
        "",
        "Upper",
        "sp ace",
        "umlaut-\u{fc}",
        "line\nbreak",
        "colon:",
        "a/b",
    ];
    for key in reserved.iter().chain(&forbidden).chain(&malformed) {
        let failed = soon(echo.once(note("x")).metadata(key, "value"))
            .await
            .unwrap_err();
        assert_eq!(
            (failed.code(), failed.origin()),
            (Code::Internal, Origin::Local),
            "{failed}"
        );
        assert!(failed.to_string().contains(&format!("{key:?}")), "{failed}");
        assert!(
            failed.to_string().contains("/tests.echo.Echo/Once"),
            "{failed}"
        );
        assert!(failed.is_unprocessed());
    }
    for value in [
        "line\nbreak",
        "\r",
        "nul\0",
        "\u{7f}",
        "\u{e9}",
        " outer",
        "outer ",
        "\t",
    ] {
        let failed = soon(echo.once(note("x")).metadata("my-key", value))
            .await
            .unwrap_err();
        assert!(
            failed.to_string().contains("\"my-key\""),
            "{value:?}: {failed}"
        );
    }
    let text = soon(echo.once(note("x")).metadata("my-bin", "text"))
        .await
        .unwrap_err();
    assert!(text.to_string().contains("\"my-bin\""), "{text}");
    let bytes = soon(echo.once(note("x")).metadata_bin("my-text", [1]))
        .await
        .unwrap_err();
    assert!(bytes.to_string().contains("\"my-text\""), "{bytes}");

    // Every kind of call, and the first fault of several.
    let twice = echo
        .expand(note("x"))
        .metadata("te", "1")
        .metadata("Bad", "2");
    assert!(
        soon(twice)
            .await
            .unwrap_err()
            .to_string()
            .contains("\"te\"")
    );
    let failed = soon(echo.collect().metadata("te", "1")).await.unwrap_err();
    assert!(failed.to_string().contains("\"te\""), "{failed}");
    let failed = soon(echo.collect().metadata("te", "1").upload([note("x")]))
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("\"te\""), "{failed}");
    let failed = soon(echo.chat().metadata("te", "1")).await.unwrap_err();
    assert!(failed.to_string().contains("\"te\""), "{failed}");

    assert_eq!(world.stats().rpcs_started, 1, "none of them left");
    drop(echo);
    world.end().await;
}

/// On the server the fault is an error at once, and `?` makes it INTERNAL for the call.
#[tokio::test]
async fn a_handler_hears_of_a_bad_entry_at_once() {
    let world = World::tcp(scripted(Scripted::default().once(|_, request| {
        Box::pin(async move {
            let mut response = Response::new(request);
            let fault = response
                .headers_mut()
                .insert("grpc-status", "0")
                .unwrap_err();
            assert!(matches!(fault, MetadataError::ReservedKey { .. }));
            response.trailers_mut().insert("Bad Key", "1")?;
            Ok(response)
        })
    })))
    .await;
    let echo = world.echo();
    let failed = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(
        (failed.code(), failed.origin()),
        (Code::Internal, Origin::Peer)
    );
    assert!(failed.message().contains("\"Bad Key\""), "{failed}");
    drop(echo);
    world.end().await;
}

/// More than the peer takes (16 KiB) fails its own call; the connection goes on.
#[tokio::test]
async fn too_much_metadata_fails_its_own_call_alone() {
    let (world, echo) = mirrored().await;
    let large = "x".repeat(40_000);
    let failed = soon(echo.once(note("x")).metadata("large", &large))
        .await
        .unwrap_err();
    assert!(
        failed.to_string().contains("/tests.echo.Echo/Once"),
        "{failed}"
    );
    let well = soon(echo.once(note("x")).metadata("small", "y"))
        .await
        .unwrap();
    assert_eq!(well.headers().get("small"), Some("y"));
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}
