//! A panic is INTERNAL for its own call, and for no other; its text stays in the server.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use trunkline::client::{Receiver, Sender};
use trunkline::server::{Interceptor, Next};
use trunkline::{Code, Origin, RequestContext, Response, Status, Trailers};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, note, number, scripted, telling};
use crate::world::{World, soon};

/// What the handlers panic with.
pub(crate) const SECRET: &str = "secret text of a panic on purpose";

/// Keeps panics on purpose out of the test's output.
pub(crate) fn quiet_panics() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some(SECRET) {
                loud(info);
            }
        }));
    });
}

/// Panics in every way a handler can: which one, the request says.
fn panicking() -> Scripted {
    quiet_panics();
    Scripted::default()
        .once(|cx, request| {
            match request.text.as_str() {
                // Before there is a future at all.
                "early" => panic!("{SECRET}"),
                "child" => cx.spawn(async { panic!("{SECRET}") }),
                _ => {}
            }
            Box::pin(async move {
                match request.text.as_str() {
                    "late" => {
                        tokio::task::yield_now().await;
                        panic!("{SECRET}")
                    }
                    "child" => std::future::pending().await,
                    _ => Ok(Response::new(request)),
                }
            })
        })
        .expand(|_, request, mut responses| {
            Box::pin(async move {
                for n in 0..request.number {
                    responses.send(&number(n)).await?;
                }
                panic!("{SECRET}")
            })
        })
        .collect(|_, mut requests| {
            Box::pin(async move {
                requests.recv().await?;
                panic!("{SECRET}")
            })
        })
}

fn check(status: &Status) {
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert_eq!(status.origin(), Origin::Peer);
    assert!(
        !format!("{status:?} {status}").contains("secret"),
        "{status:?}"
    );
    assert!(
        status.to_string().contains("tests.echo.Echo"),
        "names the method: {status}"
    );
}

/// Fifty calls that are under way before the panic and go on after it.
async fn neighbours(echo: &EchoClient) -> Vec<(Sender<Note>, Receiver<Note>)> {
    let mut all = Vec::new();
    for _ in 0..50 {
        let (mut sender, mut receiver) = echo.chat().await.unwrap();
        sender.send(&note("before")).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), Some(note("before")));
        all.push((sender, receiver));
    }
    all
}

async fn go_on(neighbours: Vec<(Sender<Note>, Receiver<Note>)>) {
    for (mut sender, mut receiver) in neighbours {
        sender.send(&note("after")).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), Some(note("after")));
        sender.finish();
        assert_eq!(receiver.recv().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_call_alone() {
    let world = World::tcp_with(scripted(panicking()), |channel| channel.max_connections(1)).await;
    let echo = world.echo();
    let neighbours = soon(neighbours(&echo)).await;

    for text in ["early", "late", "child"] {
        check(&soon(echo.once(note(text))).await.unwrap_err());
    }
    for messages in [0, 3] {
        let mut notes = soon(echo.expand(number(messages))).await.unwrap();
        for n in 0..messages {
            let received = soon(notes.recv()).await.unwrap();
            assert_eq!(
                received.map(|each| each.number),
                Some(n),
                "what was sent arrives"
            );
        }
        let ended = soon(notes.recv()).await.unwrap_err();
        check(&ended);
        let again = soon(notes.recv()).await.unwrap_err();
        assert_eq!(
            again.to_string(),
            ended.to_string(),
            "no clean end ever comes after it"
        );
    }
    let (mut sender, sum) = echo.collect().await.unwrap();
    sender.send(&note("x")).await.unwrap();
    check(&soon(sum).await.unwrap_err());
    drop(sender);

    soon(go_on(neighbours)).await;
    assert_eq!(soon(echo.once(note("well"))).await.unwrap().text, "well");
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(stats.rpcs_panicked, 6, "{stats:?}");
    assert_eq!(stats.rpcs_completed, 51, "{stats:?}");
    assert_eq!(stats.connections_accepted, 1, "the connection lives on");
    drop(echo);
    world.end().await;
}

/// Panics before the handler, or after it.
struct Panicking;

impl Interceptor for Panicking {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let when = cx.metadata().get("panic").map(str::to_owned);
        match when.as_deref() {
            Some("before") => panic!("{SECRET}"),
            Some("later") => {
                tokio::task::yield_now().await;
                panic!("{SECRET}")
            }
            _ => {}
        }
        let outcome = next.run(cx).await;
        match when.as_deref() {
            Some("after") => panic!("{SECRET}"),
            _ => outcome,
        }
    }
}

#[tokio::test]
async fn a_panic_of_an_interceptor_ends_its_own_call_alone() {
    quiet_panics();
    let server = crate::handlers::plain().intercept(Panicking);
    let world = World::tcp_with(server, |channel| channel.max_connections(1)).await;
    let echo = world.echo();
    let neighbours = soon(neighbours(&echo)).await;

    for when in ["before", "later", "after"] {
        let call = echo.once(note("x")).metadata("panic", when);
        check(&soon(call).await.unwrap_err());
        let mut notes = soon(echo.expand(number(3)).metadata("panic", when))
            .await
            .unwrap();
        if when == "after" {
            for n in 0..3 {
                let received = soon(notes.recv()).await.unwrap();
                assert_eq!(received.map(|each| each.number), Some(n));
            }
        }
        check(&soon(notes.recv()).await.unwrap_err());
    }

    soon(go_on(neighbours)).await;
    assert_eq!(soon(echo.once(note("well"))).await.unwrap().text, "well");
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(stats.rpcs_panicked, 6, "{stats:?}");
    assert_eq!(stats.rpcs_completed, 51, "{stats:?}");
    assert_eq!(stats.connections_accepted, 1, "the connection lives on");
    drop(echo);
    world.end().await;
}

/// Notes the codes that it sees.
struct Watching(Arc<Mutex<Vec<Code>>>);

impl Interceptor for Watching {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let outcome = next.run(cx).await;
        let code = Code::of(&outcome);
        self.0.lock().unwrap().push(code);
        outcome
    }
}

/// Under an interceptor a panic of the handler is told as any other end is, and counted as a panic.
#[tokio::test]
async fn an_interceptor_sees_the_panic_of_its_handler_as_internal() {
    let seen = Arc::default();
    let server = scripted(panicking()).intercept(Watching(Arc::clone(&seen)));
    let world = World::memory(server);
    let echo = world.echo();
    for text in ["early", "late", "child"] {
        check(&soon(echo.once(note(text))).await.unwrap_err());
    }
    let mut notes = soon(echo.expand(number(3))).await.unwrap();
    for _ in 0..3 {
        assert!(soon(notes.recv()).await.unwrap().is_some());
    }
    check(&soon(notes.recv()).await.unwrap_err());
    let (mut sender, sum) = echo.collect().await.unwrap();
    sender.send(&note("x")).await.unwrap();
    check(&soon(sum).await.unwrap_err());
    drop((sender, notes, echo));
    world.quiet().await;
    assert_eq!(world.stats().rpcs_panicked, 5);
    assert_eq!(*seen.lock().unwrap(), [Code::Internal; 5]);
    world.end().await;
}

/// A child's panic takes the handler and the other children with it.
#[tokio::test(start_paused = true)]
async fn a_panicking_child_ends_the_whole_rpc() {
    quiet_panics();
    let (teller, mut told) = telling();
    let world = World::memory(scripted(Scripted::default().expand(
        move |cx, _, mut responses| {
            let (handler, sibling) = (teller.guard("handler"), teller.guard("sibling"));
            cx.spawn(async move {
                let _sibling = sibling;
                std::future::pending().await
            });
            cx.spawn(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                panic!("{SECRET}")
            });
            Box::pin(async move {
                let _handler = handler;
                responses.send(&note("first")).await?;
                std::future::pending().await
            })
        },
    )));
    let echo = world.echo();
    let mut notes = echo.expand(number(0)).await.unwrap();
    assert_eq!(notes.recv().await.unwrap().unwrap().text, "first");
    check(&notes.recv().await.unwrap_err());
    told.expect_all(["sibling dropped", "handler dropped"])
        .await;
    world.quiet().await;
    assert_eq!(world.stats().rpcs_panicked, 1);
    drop((notes, echo));
    world.end().await;
}
