//! Test doubles: a pair of client and server, services of closures, handlers without a server.

use std::time::Duration;

use tokio::runtime::Handle;
use trunkline::server::Router;
use trunkline::testing::{self, Stub};
use trunkline::transport::{Address, Peer};
use trunkline::{Code, Response, Server, Status};
use trunkline_test_protos::echo::{Echo, EchoClient, EchoServer, echo};
use trunkline_test_protos::ledger::{LedgerClient, ledger};

use crate::handlers::{Scripted, amount, note, number};

/// What a user's own test of a handler needs, in full.
#[tokio::test(start_paused = true)]
async fn a_test_of_a_handler_is_short() {
    let (channel, _server) = testing::pair(EchoServer::new(Scripted::default()));
    let reply = EchoClient::new(channel).once(note("hello")).await.unwrap();
    assert_eq!(reply.text, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_a_function() {
    let handler = Scripted::default().once(|cx, mut request| {
        let left = cx
            .deadline()
            .unwrap()
            .remaining(trunkline::transport::now());
        let user = cx.extensions().get::<&str>().copied();
        request.text = format!(
            "{} {} {} {:?} {:?} {}",
            cx.method().path,
            cx.metadata().get("tenant").unwrap(),
            cx.peer().address(),
            user.unwrap(),
            cx.user_agent().unwrap(),
            left.as_secs(),
        );
        request.data = cx.metadata().get_bin("key-bin").unwrap().to_vec();
        Box::pin(async { Ok(Response::new(request)) })
    });
    let cx = testing::context::<echo::Once>()
        .metadata("tenant", "blue")
        .metadata_bin("key-bin", [0, 255])
        .extension("ann")
        .user_agent("tester/1")
        .timeout(Duration::from_secs(5))
        .peer(Peer::new(Address::Memory("far".into())))
        .build();
    let reply = Echo::once(&handler, &cx, note("x")).await.unwrap();
    assert_eq!(
        reply.text,
        "/tests.echo.Echo/Once blue memory:far \"ann\" \"tester/1\" 5"
    );
    assert_eq!(reply.data, [0, 255]);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "metadata of a test")]
async fn metadata_that_no_client_could_send_ends_the_test() {
    let _ = testing::context::<echo::Once>().metadata("UPPER", "x");
}

/// An Echo, and a method of another service, of closures.
fn stub() -> Stub {
    Stub::new()
        .unary::<echo::Once, _>(|cx, mut request| {
            request.text = cx.metadata().get("tenant").unwrap_or("nobody").to_owned();
            async move { Ok(Response::new(request)) }
        })
        .server_streaming::<echo::Expand, _>(|_, request, mut responses| async move {
            for each in 0..request.number {
                responses.send(&number(each)).await?;
            }
            Err(Status::aborted("enough"))
        })
        .client_streaming::<echo::Collect, _>(|_, mut requests| async move {
            let mut count = 0;
            while requests.recv().await?.is_some() {
                count += 1;
            }
            Ok(Response::new(number(count)))
        })
        .bidi::<echo::Chat, _>(|_, mut requests, mut responses| async move {
            while let Some(each) = requests.recv().await? {
                responses.send(&each).await?;
            }
            Ok(())
        })
        .unary::<ledger::Double, _>(|_, entry| async move { Ok(amount(entry.amount * 2).into()) })
}

#[tokio::test(start_paused = true)]
async fn closures_answer_every_kind_of_call_and_are_counted() {
    let stub = stub();
    let calls = stub.calls();
    let (channel, server) = testing::pair(stub);
    let echo = EchoClient::new(channel.clone());

    let once = echo.once(note("x")).metadata("tenant", "blue").await;
    assert_eq!(once.unwrap().text, "blue");
    let mut notes = echo.expand(number(2)).await.unwrap();
    for each in 0..2 {
        assert_eq!(notes.recv().await.unwrap(), Some(number(each)));
    }
    assert_eq!(notes.recv().await.unwrap_err().message(), "enough");
    let sum = echo.collect().upload((0..4).map(number)).await.unwrap();
    assert_eq!(sum.number, 4);
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    sender.send(&note("a")).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), Some(note("a")));
    sender.finish();
    assert_eq!(receiver.recv().await.unwrap(), None);
    let ledger = LedgerClient::new(channel);
    assert_eq!(ledger.double(amount(4)).await.unwrap().amount, 8);

    // What nobody has stubbed says so, with its name.
    let missing = ledger.sum().upload([amount(1)]).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unimplemented);
    assert!(missing.message().contains("Sum"), "{missing}");
    assert!(
        missing.message().contains("tests.ledger.Ledger"),
        "{missing}"
    );

    assert_eq!(
        calls.methods(),
        [
            "/tests.echo.Echo/Once",
            "/tests.echo.Echo/Expand",
            "/tests.echo.Echo/Collect",
            "/tests.echo.Echo/Chat",
            "/tests.ledger.Ledger/Double"
        ]
    );
    assert_eq!(calls.count::<echo::Once>(), 1);
    assert_eq!(calls.count::<ledger::Sum>(), 0);
    let sent = calls.metadata::<echo::Once>();
    assert_eq!(sent[0].get("tenant"), Some("blue"));
    drop((echo, ledger, notes, receiver));
    let report = server.stop(Duration::from_secs(1)).await;
    assert_eq!((report.completed, report.unfinished), (0, 0));
}

/// A method that is stubbed twice is a mistake in the test.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "/tests.echo.Echo/Once")]
async fn a_method_stubbed_twice_is_told() {
    let twice = || async { Ok(Response::new(note("x"))) };
    let stub = Stub::new()
        .unary::<echo::Once, _>(move |_, _| twice())
        .unary::<echo::Once, _>(move |_, _| twice());
    let _ = testing::pair(stub);
}

/// A streaming handler called by itself, with the halves of a real call.
#[tokio::test(start_paused = true)]
async fn a_streaming_handler_is_a_function_too() {
    let (stub, mut calls) = Stub::new().by_hand::<echo::Chat>();
    let (channel, _server) = testing::pair(stub);
    let (mut sender, mut receiver) = EchoClient::new(channel).chat().await.unwrap();
    let client = async {
        sender.send(&note("a")).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), Some(note("a")));
        sender.finish();
        receiver.recv().await
    };
    let server = async {
        let (requests, responses, end) = calls.next().await.into_halves();
        let cx = testing::context::<echo::Chat>().build();
        let result = Echo::chat(&Scripted::default(), &cx, requests, responses).await;
        end.finish(result);
    };
    let (ended, ()) = tokio::join!(client, server);
    assert_eq!(ended.unwrap(), None);
}

/// The server's side step by step, also of a unary call.
#[tokio::test(start_paused = true)]
async fn a_server_is_played_by_hand() {
    let (stub, mut calls) = Stub::new().by_hand::<echo::Once>();
    let (channel, server) = testing::pair(stub);
    let echo = EchoClient::new(channel);
    let play = async {
        let mut call = calls.next().await;
        assert_eq!(call.metadata.get("k"), Some("v"));
        let request = call.requests.recv().await.unwrap().unwrap();
        call.responses.send(&request).await.unwrap();
        call.finish(Ok(()));
        drop(calls.next().await);
        calls.next().await.finish(Err(Status::data_loss("torn")));
    };
    let client = async {
        let echoed = echo.once(note("x")).metadata("k", "v").await;
        assert_eq!(echoed.unwrap().text, "x");
        let dropped = echo.once(note("x")).await.unwrap_err();
        assert_eq!(dropped.code(), Code::Cancelled, "{dropped}");
        let torn = echo.once(note("x")).await.unwrap_err();
        assert_eq!((torn.code(), torn.message()), (Code::DataLoss, "torn"));
    };
    tokio::join!(play, client);
    assert_eq!(server.stats().live_rpcs, 0);
    drop(calls);
    let nobody = echo.once(note("x")).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Cancelled);
}

/// Nothing is left: no task of the server, of its connections, of its calls, of the channel.
#[tokio::test(start_paused = true)]
async fn dropping_the_pair_leaves_nothing_behind() {
    let before = Handle::current().metrics().num_alive_tasks();
    let stub = Stub::new().unary::<echo::Once, _>(|_, _| std::future::pending());
    let router = Router::from(stub);
    let server = Server::insecure().router(router);
    let (channel, serving) = testing::pair_with(server, |channel| channel.max_connections(1));
    let handle = serving.handle();
    let echo = EchoClient::new(channel);
    let hanging = tokio::spawn(echo.once(note("x")).owned());
    crate::world::until(&handle, "the call runs", |stats| stats.live_rpcs == 1).await;
    drop(serving);
    let cut = hanging.await.unwrap().unwrap_err();
    assert_eq!(cut.code(), Code::Unavailable, "{cut}");
    // The channel lives on, and says that nobody is there.
    let gone = echo.once(note("x")).await.unwrap_err();
    assert_eq!(gone.code(), Code::Unavailable, "{gone}");
    assert!(gone.is_unprocessed(), "{gone:?}");
    drop(echo);
    crate::world::until(&handle, "all is gone", |stats| {
        stats.live_rpcs + stats.live_connections + stats.live_listeners == 0
            && Handle::current().metrics().num_alive_tasks() == before
    })
    .await;
}
