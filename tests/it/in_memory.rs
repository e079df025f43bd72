//! A test double that is the whole stack: a server and a client in one process, no port, on paused
//! time.

use std::time::Duration;

use trunkline::transport::memory;
use trunkline::{Channel, Code, Response};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, note, number, plain, scripted};
use crate::world::World;

/// What a user's own test needs, in full.
#[tokio::test(start_paused = true)]
async fn a_unary_test_takes_ten_lines() -> Result<(), Box<dyn std::error::Error>> {
    let (connector, listener) = memory::pair("echo");
    let service = EchoServer::new(Scripted::default());
    let server = trunkline::Server::insecure()
        .add_service(service)
        .listen(listener)?;
    tokio::spawn(server.serve());

    let channel = Channel::builder("memory:echo")
        .insecure()
        .connector(connector)
        .build()?;
    let reply = EchoClient::new(channel).once(note("hello")).await?;
    assert_eq!(reply.text, "hello");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_call_works_over_memory() {
    let world = World::memory(plain());
    let echo = world.echo();

    assert_eq!(echo.once(note("a")).await.unwrap().text, "a");

    let mut received = echo.expand(number(3)).await.unwrap();
    for expected in 0..3 {
        assert_eq!(received.recv().await.unwrap().unwrap().number, expected);
    }
    assert_eq!(received.recv().await.unwrap(), None);
    assert_eq!(received.recv().await.unwrap(), None, "the end is the end");

    let sum = echo.collect().upload((0..4).map(number)).await.unwrap();
    assert_eq!(sum.number, 6);

    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for each in 0..3 {
        sender.send(&number(each)).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap().unwrap().number, each);
    }
    sender.finish();
    assert_eq!(receiver.recv().await.unwrap(), None);

    drop((received, receiver, echo));
    world.end().await;
}

/// An hour of handler time passes at once: nothing on the way looks at another clock.
#[tokio::test(start_paused = true)]
async fn time_is_the_runtimes() {
    let an_hour = Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(Response::new(request))
        })
    });
    let world = World::memory(scripted(an_hour));
    let echo = world.echo();
    let started = std::time::Instant::now();
    echo.once(note("slow")).await.unwrap();
    let late = echo
        .once(note("late"))
        .timeout(Duration::from_secs(1800))
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    assert!(started.elapsed() < Duration::from_secs(10));
    drop(echo);
    world.end().await;
}
