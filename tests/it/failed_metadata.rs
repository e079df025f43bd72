//! What a server said around its messages is not lost when the RPC fails.

use trunkline::client::{self, CallContext, ClientStream};
use trunkline::server;
use trunkline::{Code, Metadata, RequestContext, Status, Trailers};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, number, scripted};
use crate::support::{RawServer, Wire, channel_closes, data, headers, note, text, trailers};
use crate::world::{World, soon};

/// Fails before its first message, after it has set metadata of both kinds.
fn failing() -> Scripted {
    Scripted::default()
        .expand(|_, _, mut responses| {
            Box::pin(async move {
                responses.insert_header("served-by", "blue")?;
                responses.insert_trailer("tried", "3")?;
                Err(Status::not_found("nothing there"))
            })
        })
        .chat(|_, _, _| Box::pin(async { Err(Status::not_found("nothing there")) }))
}

fn only(metadata: &Metadata, key: &str, value: &str) {
    assert_eq!(metadata.get(key), Some(value), "{metadata:?}");
    assert_eq!(metadata.len(), 1, "{metadata:?}");
}

/// They can be read before the failure and after it.
#[tokio::test]
async fn headers_of_a_handler_arrive_as_headers_even_if_it_sends_no_message() {
    let world = World::memory(scripted(failing()));
    let echo = world.echo();
    for ask_first in [true, false] {
        let mut notes = soon(echo.expand(number(1))).await.unwrap();
        if ask_first {
            only(soon(notes.headers()).await.unwrap(), "served-by", "blue");
        }
        let failed = soon(notes.recv()).await.unwrap_err();
        assert_eq!(failed.code(), Code::NotFound, "{failed}");
        only(failed.metadata(), "tried", "3");
        only(soon(notes.headers()).await.unwrap(), "served-by", "blue");
    }
    drop(echo);
    world.end().await;
}

/// Adds a header to every RPC.
struct Stamp;

impl server::Interceptor for Stamp {
    async fn intercept(
        &self,
        cx: RequestContext,
        mut next: server::Next<'_>,
    ) -> Result<Trailers, Status> {
        next.headers_mut().insert("stamp", "s")?;
        next.run(cx).await
    }
}

/// A response that is a status alone is one that clients may repeat the call after: what every RPC
/// gets on its way must not take that from all of them.
#[tokio::test]
async fn what_interceptors_add_goes_with_the_status_of_a_stream_that_sent_nothing() {
    let service = scripted(failing());
    let world = World::memory(service.intercept(Stamp));
    let echo = world.echo();
    let (sender, mut notes) = soon(echo.chat()).await.unwrap();
    let failed = soon(notes.headers()).await.unwrap_err();
    only(failed.metadata(), "stamp", "s");
    // Where there are headers anyway, it is among them.
    let mut notes = soon(echo.expand(number(1))).await.unwrap();
    let before = soon(notes.headers()).await.unwrap();
    assert_eq!(before.get("stamp"), Some("s"));
    assert_eq!(before.get("served-by"), Some("blue"));
    drop((sender, notes, echo));
    world.end().await;
}

/// Changes nothing.
struct Through;

impl client::Interceptor for Through {
    async fn intercept(
        &self,
        call: CallContext,
        next: client::Next,
    ) -> Result<ClientStream, Status> {
        next.start(call).await
    }
}

/// Headers, perhaps a message, then an error.
fn failure(stream: u32, with_message: bool) -> Wire {
    let head = headers(stream).status(200).grpc();
    let head = Wire::from(head.field("served-by", "blue").field("both", "header"));
    let head = if with_message {
        head.and(data(stream, note("half")))
    } else {
        head
    };
    let last = trailers(stream, 5).field("tried", "3");
    head.and(last.field("both", "trailer"))
}

#[tokio::test]
async fn a_failed_call_with_one_response_shows_the_headers_behind_the_trailers() {
    for intercepted in [false, true] {
        let (mut server, builder) = RawServer::builder("failing");
        let builder = match intercepted {
            true => builder.intercept(Through),
            false => builder,
        };
        let echo = EchoClient::new(builder.build().unwrap());
        let script = async {
            let mut peer = server.accept().await;
            for (stream, with_message) in [(1, false), (3, true), (5, false), (7, true)] {
                peer.expect_end(stream).await;
                peer.send(failure(stream, with_message)).await;
            }
            peer
        };
        let calls = async {
            let mut failed = Vec::new();
            for _ in 0..2 {
                failed.push(soon(echo.once(text("x"))).await.unwrap_err());
            }
            for _ in 0..2 {
                let (sender, summary) = soon(echo.collect()).await.unwrap();
                sender.finish();
                failed.push(soon(summary).await.unwrap_err());
            }
            failed
        };
        let (peer, failed) = tokio::join!(script, calls);
        for failed in failed {
            assert_eq!(failed.code(), Code::NotFound, "{failed}");
            let said = failed.metadata();
            assert_eq!(said.get("tried"), Some("3"), "{failed:?}");
            assert_eq!(said.get("served-by"), Some("blue"), "{failed:?}");
            let both: Vec<_> = said.get_all("both").collect();
            assert_eq!(both, ["trailer", "header"]);
            assert_eq!(said.len(), 4, "{failed:?}");
        }
        channel_closes(echo, peer).await;
    }
}
