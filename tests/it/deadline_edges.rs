//! What a deadline covers beside a handler that stalls: connecting, streams that never pause, calls
//! that come too late; and how much of it the handler gets.

use std::time::Duration;

use trunkline::transport::{Listener, memory, now};
use trunkline::{Channel, Deadline, Origin, Response, Stage};
use trunkline_test_protos::echo::EchoClient;

use crate::deadline::exceeded;
use crate::handlers::{Scripted, bytes, note, number, scripted, telling};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// A call's own timeout comes before the channel's, and of a timeout and a deadline the earlier
/// one counts. The handler sees what is left.
#[tokio::test(start_paused = true)]
async fn the_handler_sees_the_time_that_is_left() {
    let world = World::memory_with(
        scripted(Scripted::default().once(|cx, _| {
            let left = cx.deadline().map(|deadline| deadline.remaining(now()));
            Box::pin(async move {
                let millis = left.map_or(0, |left| left.as_millis());
                Ok(Response::new(number(u64::try_from(millis).unwrap())))
            })
        })),
        |channel| channel.timeout(10 * SECOND),
    );
    let echo = world.echo();
    let in_seconds = |seconds| Deadline::after(now(), seconds * SECOND);
    assert_eq!(echo.once(note("")).await.unwrap().number, 10_000);
    assert_eq!(
        echo.once(note(""))
            .timeout(20 * SECOND)
            .await
            .unwrap()
            .number,
        20_000
    );
    assert_eq!(
        echo.once(note(""))
            .deadline(in_seconds(5))
            .await
            .unwrap()
            .number,
        5_000
    );
    let both = echo
        .once(note(""))
        .deadline(in_seconds(5))
        .timeout(3 * SECOND);
    assert_eq!(both.await.unwrap().number, 3_000);
    drop(echo);
    world.end().await;
}

/// A server that sends without end does not outrun its caller's deadline, nor does a handler that
/// always has something to do.
#[tokio::test]
async fn a_stream_that_never_pauses_still_meets_its_deadline() {
    let (teller, mut told) = telling();
    let world = World::tcp(scripted(Scripted::default().expand(
        move |_, _, mut responses| {
            let guard = teller.guard("expand");
            Box::pin(async move {
                let _guard = guard;
                loop {
                    responses.send(&bytes(10)).await?;
                }
            })
        },
    )))
    .await;
    let echo = world.echo();
    let mut notes = echo
        .expand(number(0))
        .timeout(Duration::from_millis(200))
        .await
        .unwrap();
    let reading = async {
        loop {
            if let Err(status) = notes.recv().await {
                return status;
            }
        }
    };
    exceeded(&soon(reading).await);
    soon(told.expect("expand dropped")).await;
    drop((notes, echo));
    world.end().await;
}

/// What the caller forgot is in the text.
#[tokio::test(start_paused = true)]
async fn the_text_says_that_the_sender_was_never_finished() {
    let world = World::memory(scripted(Scripted::default()));
    let echo = world.echo();
    let (mut sender, sum) = echo.collect().timeout(SECOND).await.unwrap();
    sender.send(&note("x")).await.unwrap();
    let late = sum.await.unwrap_err();
    exceeded(&late);
    assert!(late.to_string().contains("finish()"), "{late}");
    drop((sender, echo));
    world.end().await;
}

/// A deadline that has passed before the call is made sends nothing.
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_sends_nothing() {
    let world = World::memory(scripted(Scripted::default()));
    let echo = world.echo();
    echo.once(note("connects")).await.unwrap();
    let late = echo
        .once(note("x"))
        .timeout(Duration::ZERO)
        .await
        .unwrap_err();
    exceeded(&late);
    assert_eq!(late.origin(), Origin::Local);
    assert!(late.is_unprocessed(), "{late:?}");
    assert_eq!(world.stats().rpcs_started, 1);
    drop(echo);
    world.end().await;
}

/// Nobody listens: the deadline bounds connecting too, and the text says what it waited for.
#[tokio::test(start_paused = true)]
async fn the_deadline_covers_connecting() {
    // Accepts in the kernel's place, so to say, and never says a word of HTTP/2.
    let (connector, _listener) = memory::pair("mute");
    let channel = Channel::builder("memory:mute")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    let echo = EchoClient::new(channel);
    let late = echo.once(note("x")).timeout(SECOND).await.unwrap_err();
    exceeded(&late);
    assert_eq!(late.stage(), Some(Stage::Connect), "{late}");
    assert!(late.to_string().contains("memory:mute"), "{late}");
    assert!(late.is_unprocessed());
}

/// A server that is told of the deadline and does not care: the client alone ends the call, of
/// every kind, and resets its stream.
#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_deadlines_holds_nobody() {
    let (connector, mut listener) = memory::pair("deaf");
    let (teller, mut told) = telling();
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(io).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let teller = teller.clone();
            tokio::spawn(async move {
                assert!(request.headers().contains_key("grpc-timeout"));
                let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                teller.say(format!("{} {:?}", request.uri().path(), reset.unwrap()));
            });
        }
    });
    let channel = Channel::builder("memory:deaf")
        .insecure()
        .connector(connector)
        .timeout(SECOND);
    let echo = EchoClient::new(channel.build().unwrap());
    let own = |status: trunkline::Status| {
        exceeded(&status);
        assert_eq!(status.origin(), Origin::Local, "{status}");
        assert!(status.to_string().contains("memory:deaf"), "{status}");
    };
    own(echo.once(note("x")).await.unwrap_err());
    told.expect("/tests.echo.Echo/Once CANCEL").await;
    let mut notes = echo.expand(note("x")).await.unwrap();
    own(notes.recv().await.unwrap_err());
    told.expect("/tests.echo.Echo/Expand CANCEL").await;
    let (sender, sum) = echo.collect().await.unwrap();
    own(sum.await.unwrap_err());
    told.expect("/tests.echo.Echo/Collect CANCEL").await;
    drop(sender);
    let (sender, mut receiver) = echo.chat().await.unwrap();
    own(receiver.recv().await.unwrap_err());
    told.expect("/tests.echo.Echo/Chat CANCEL").await;
    drop(sender);
}

/// The channel's timeout is for calls that set nothing: it is told to the server, whose handler it
/// ends, and what that handler asked of others gets no more than was left.
#[tokio::test(start_paused = true)]
async fn the_channels_timeout_ends_the_call_its_handler_and_what_the_handler_asked_for() {
    let millis = Duration::from_millis;
    let (teller, mut told) = telling();
    let inner_teller = teller.clone();
    let inner = World::memory(scripted(Scripted::default().once(move |cx, _| {
        let left = cx.deadline().map(|deadline| deadline.remaining(now()));
        inner_teller.say(format!("inner {left:?}"));
        let guard = inner_teller.guard("inner");
        Box::pin(async move {
            let _guard = guard;
            tokio::time::sleep(5 * SECOND).await;
            Ok(Response::new(note("")))
        })
    })));
    let ask = inner.echo();
    let outer = World::memory_with(
        scripted(Scripted::default().once(move |cx, request| {
            let guard = teller.guard("outer");
            let (ask, inherited) = (ask.clone(), cx.inherited());
            Box::pin(async move {
                let _guard = guard;
                tokio::time::sleep(millis(50)).await;
                ask.once(request).within(inherited).await
            })
        })),
        |channel| channel.timeout(millis(200)),
    );
    let echo = outer.echo();
    let began = now();
    let error = echo.once(note("")).await.unwrap_err();
    assert_eq!(now() - began, millis(200));
    exceeded(&error);
    told.expect("inner Some(150ms)").await;
    told.expect_all(["inner dropped", "outer dropped"]).await;
    assert!(now() - began <= millis(250));
    drop(echo);
    outer.end().await;
    inner.end().await;
}
