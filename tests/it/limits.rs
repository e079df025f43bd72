//! Message limits: a message over one fails its own call, with a text that says which size met
//! which limit, where, and what to set.

use trunkline::server::{MethodLimits, Server};
use trunkline::{Code, Origin, Status};
use trunkline_test_protos::echo::EchoServer;
use trunkline_test_protos::echo::echo::{Chat, Collect, Once};
use trunkline_test_protos::ledger::ledger::Double;

use crate::handlers::{Plain, Scripted, bytes, note, number, plain, scripted};
use crate::world::{World, soon};

const MIB: usize = 1024 * 1024;

#[track_caller]
fn check(status: &Status, size: usize, limit: usize, words: [&str; 3]) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let text = status.to_string();
    assert!(text.contains("/tests.echo.Echo/"), "method: {text}");
    assert!(text.contains(&limit.to_string()), "limit {limit}: {text}");
    // The size on the wire: a few bytes of tags around the payload.
    let sizes = size..size + 16;
    assert!(
        sizes
            .into_iter()
            .any(|each| text.contains(&each.to_string())),
        "size {size}: {text}"
    );
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// The default of 4 MiB for what is received, on both sides, in all four kinds of call; and the
/// next call on the same connection is none the worse.
#[tokio::test]
async fn five_mebibytes_are_too_much_by_default() {
    const SIZE: usize = 5 * MIB;
    let server = ["server", "receiving", "max_receive_message_bytes"];
    let client = ["client", "receiving", "max_receive_message_bytes"];
    let large = Scripted::default()
        .once(|_, request| {
            Box::pin(async move {
                let size = if request.number == 1 { SIZE } else { 10 };
                Ok(bytes(size).into())
            })
        })
        .expand(|_, _, mut responses| {
            Box::pin(async move {
                responses.send(&bytes(10)).await?;
                responses.send(&bytes(SIZE)).await
            })
        });
    let world = World::tcp(scripted(large)).await;
    let echo = world.echo();
    let next = async || assert_eq!(soon(echo.once(number(0))).await.unwrap().data.len(), 10);

    let request = soon(echo.once(bytes(SIZE))).await.unwrap_err();
    check(&request, SIZE, 4 * MIB, server);
    assert_eq!(request.origin(), Origin::Peer);
    next().await;
    let response = soon(echo.once(number(1))).await.unwrap_err();
    check(&response, SIZE, 4 * MIB, client);
    assert_eq!(response.origin(), Origin::Local);
    next().await;

    check(
        &soon(echo.collect().upload([bytes(SIZE)]))
            .await
            .unwrap_err(),
        SIZE,
        4 * MIB,
        server,
    );
    next().await;

    let mut notes = soon(echo.expand(number(0))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), Some(bytes(10)));
    check(
        &soon(notes.recv()).await.unwrap_err(),
        SIZE,
        4 * MIB,
        client,
    );
    next().await;

    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&note("small")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("small")));
    // The answer may overtake the message: then the sender hears of it.
    let _ = soon(sender.send(&bytes(SIZE))).await;
    check(
        &soon(receiver.recv()).await.unwrap_err(),
        SIZE,
        4 * MIB,
        server,
    );
    next().await;

    assert_eq!(world.stats().connections_accepted, 1);
    drop((notes, sender, receiver, echo));
    world.end().await;
}

/// A call's own limits come before the channel's.
#[tokio::test]
async fn calls_choose_their_own_limits() {
    let world = World::tcp_with(plain(), |channel| {
        channel
            .max_receive_message_bytes(1_000)
            .max_send_message_bytes(3_000)
    })
    .await;
    let echo = world.echo();
    let refused = soon(echo.once(bytes(2_000))).await.unwrap_err();
    check(
        &refused,
        2_000,
        1_000,
        ["client", "receiving", "max_receive_message_bytes"],
    );
    let taken = soon(echo.once(bytes(2_000)).max_receive_message_bytes(3_000))
        .await
        .unwrap();
    assert_eq!(taken.data.len(), 2_000);

    let unsent = soon(echo.once(bytes(4_000))).await.unwrap_err();
    check(
        &unsent,
        4_000,
        3_000,
        ["client", "sending", "max_send_message_bytes"],
    );
    let unsent = soon(echo.collect().upload([bytes(4_000)]))
        .await
        .unwrap_err();
    check(
        &unsent,
        4_000,
        3_000,
        ["client", "sending", "max_send_message_bytes"],
    );
    let sent = echo.once(bytes(4_000)).max_send_message_bytes(5_000);
    let sent = soon(sent.max_receive_message_bytes(5_000)).await.unwrap();
    assert_eq!(sent.data.len(), 4_000);
    drop(echo);
    world.end().await;
}

/// A message over the sender's own limit is not sent, and the stream goes on without it.
#[tokio::test]
async fn a_stream_goes_on_after_a_message_that_was_refused() {
    let limited = Scripted::default().expand(|_, _, mut responses| {
        Box::pin(async move {
            let refused = responses.send(&bytes(2_000)).await.unwrap_err();
            responses.send(&note(&refused.to_string())).await
        })
    });
    let world = World::tcp_with(scripted(limited).max_send_message_bytes(1_000), |channel| {
        channel.max_send_message_bytes(1_000)
    })
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    let refused = sender.send(&bytes(2_000)).await.unwrap_err();
    check(
        &refused,
        2_000,
        1_000,
        ["client", "sending", "max_send_message_bytes"],
    );
    sender.send(&note("small")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("small")));
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);

    let mut notes = soon(echo.expand(number(0))).await.unwrap();
    let told = soon(notes.recv()).await.unwrap().unwrap().text;
    assert!(
        told.contains("max_send_message_bytes") && told.contains("server"),
        "{told}"
    );
    assert_eq!(soon(notes.recv()).await.unwrap(), None);
    drop((receiver, notes, echo));
    world.end().await;
}

/// A limit of the server's own, and a response over its own limit.
#[tokio::test]
async fn the_server_has_limits_for_both_directions() {
    let server = plain()
        .max_receive_message_bytes(2_000)
        .max_send_message_bytes(1_000);
    let world = World::tcp(server).await;
    let echo = world.echo();
    let request = soon(echo.once(bytes(3_000))).await.unwrap_err();
    check(
        &request,
        3_000,
        2_000,
        ["server", "receiving", "max_receive_message_bytes"],
    );
    let response = soon(echo.once(bytes(1_500))).await.unwrap_err();
    check(
        &response,
        1_500,
        1_000,
        ["server", "sending", "max_send_message_bytes"],
    );
    assert_eq!(soon(echo.once(bytes(900))).await.unwrap().data.len(), 900);
    drop(echo);
    world.end().await;
}

/// A method's own limits come before the server's, wider or narrower, in every kind of call; other
/// methods keep the server's.
#[tokio::test]
async fn methods_have_limits_of_their_own() {
    let wide = MethodLimits::new().max_receive_message_bytes(6 * MIB);
    let narrow = MethodLimits::new()
        .max_receive_message_bytes(2_000)
        .max_send_message_bytes(1_000);
    let echo = EchoServer::new(Plain::default())
        .method_limits::<Collect>(wide)
        .method_limits::<Once>(wide)
        .method_limits::<Chat>(narrow);
    let world = World::tcp_with(Server::insecure().add_service(echo), |channel| {
        channel.max_receive_message_bytes(usize::MAX)
    })
    .await;
    let echo = world.echo();
    const SIZE: usize = 5 * MIB;
    let taken = soon(echo.once(bytes(SIZE))).await.unwrap();
    assert_eq!(taken.data.len(), SIZE);
    soon(echo.collect().upload([bytes(SIZE)])).await.unwrap();
    let refused = soon(echo.collect().upload([bytes(7 * MIB)])).await;
    let server = ["server", "receiving", "max_receive_message_bytes"];
    check(&refused.unwrap_err(), 7 * MIB, 6 * MIB, server);

    let mut notes = soon(echo.expand(bytes(SIZE))).await.unwrap();
    check(
        &soon(notes.recv()).await.unwrap_err(),
        SIZE,
        4 * MIB,
        server,
    );

    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&bytes(900)).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(bytes(900)));
    sender.send(&bytes(1_500)).await.unwrap();
    let sending = ["server", "sending", "max_send_message_bytes"];
    check(
        &soon(receiver.recv()).await.unwrap_err(),
        1_500,
        1_000,
        sending,
    );
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&bytes(3_000)).await.unwrap();
    check(
        &soon(receiver.recv()).await.unwrap_err(),
        3_000,
        2_000,
        server,
    );
    drop((notes, sender, receiver, echo));
    world.end().await;
}

#[tokio::test]
async fn limits_of_a_method_that_is_not_there_are_a_mistake() {
    let echo = EchoServer::new(Plain::default()).method_limits::<Double>(MethodLimits::new());
    let server = Server::insecure().add_service(echo);
    let error = server.bind("127.0.0.1:0").await.unwrap_err();
    assert!(
        error.message().contains("/tests.ledger.Ledger/Double"),
        "{error}"
    );
}
