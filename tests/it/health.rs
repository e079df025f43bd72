//! The standard health service: what is set is what is told, to those who ask and to those who
//! watch; and a stop is told of by itself.

use std::time::Duration;

use trunkline::client::Receiver;
use trunkline::server::{HealthReporter, ServingStatus};
use trunkline::{Channel, Code, Server, Status};
use trunkline_test_protos::echo::EchoServer;
use trunkline_test_protos::health::v1::health_check_response::ServingStatus as Told;
use trunkline_test_protos::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthClient, HealthListRequest,
};

use crate::handlers::{Scripted, number};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

fn world() -> (HealthReporter, World, HealthClient) {
    let health = HealthReporter::new();
    let world = World::memory(Server::insecure().add_service(health.service()));
    let client = HealthClient::new(world.channel.clone());
    (health, world, client)
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn check(client: &HealthClient, service: &str) -> Result<Told, Code> {
    match client.check(named(service)).await {
        Ok(response) => Ok(response.status()),
        Err(status) => Err(status.code()),
    }
}

/// What a watch is told next, which must not take long.
async fn next(watch: &mut Receiver<HealthCheckResponse>) -> Result<Told, Status> {
    let told = soon(watch.recv()).await?;
    Ok(told.expect("no end in order").status())
}

#[tokio::test(start_paused = true)]
async fn the_server_serves_from_the_start_and_others_are_what_is_set() {
    let (health, world, client) = world();
    assert_eq!(check(&client, "").await, Ok(Told::Serving));
    assert_eq!(check(&client, "tests.echo.Echo").await, Err(Code::NotFound));

    health.set_serving(EchoServer::NAME);
    assert_eq!(check(&client, "tests.echo.Echo").await, Ok(Told::Serving));
    health.set_not_serving(EchoServer::NAME);
    let told = check(&client, "tests.echo.Echo").await;
    assert_eq!(told, Ok(Told::NotServing));
    assert_eq!(check(&client, "").await, Ok(Told::Serving));

    health.clear(EchoServer::NAME);
    assert_eq!(check(&client, "tests.echo.Echo").await, Err(Code::NotFound));
    health.set("", ServingStatus::NotServing);
    assert_eq!(check(&client, "").await, Ok(Told::NotServing));
    drop(client);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_an_unknown_service_stays_open_and_follows() {
    let (health, world, client) = world();
    let mut watch = client.watch(named("late.Late")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::ServiceUnknown);
    health.set_serving("late.Late");
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    health.set_not_serving("late.Late");
    assert_eq!(next(&mut watch).await.unwrap(), Told::NotServing);
    health.clear("late.Late");
    assert_eq!(next(&mut watch).await.unwrap(), Told::ServiceUnknown);
    drop((watch, client));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_told_its_own_changes_and_nothing_else() {
    let (health, world, client) = world();
    let mut watch = client.watch(named("")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    health.set_serving("other.Other");
    health.set_serving("");
    health.resume();
    let silent = tokio::time::timeout(60 * SECOND, watch.recv()).await;
    silent.expect_err("nothing has changed for this watch");
    health.set_not_serving("");
    assert_eq!(next(&mut watch).await.unwrap(), Told::NotServing);
    drop((watch, client));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_behind_is_told_the_last_change() {
    let (health, world, client) = world();
    let mut watch = client.watch(named("")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    // On one thread the server has no turn in between.
    for _ in 0..10_000 {
        health.set_not_serving("");
        health.set_serving("");
    }
    health.set_not_serving("");
    assert_eq!(next(&mut watch).await.unwrap(), Told::NotServing);
    let silent = tokio::time::timeout(60 * SECOND, watch.recv()).await;
    silent.expect_err("one message for all those changes");
    drop((watch, client));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_has_a_hundred_services_and_no_more() {
    let (health, world, client) = world();
    for index in 1..100 {
        health.set_not_serving(&format!("many.S{index}"));
    }
    let all = client.list(HealthListRequest {}).await.unwrap();
    assert_eq!(all.statuses.len(), 100);
    assert_eq!(all.statuses[""].status(), Told::Serving);
    assert_eq!(all.statuses["many.S99"].status(), Told::NotServing);

    health.set_serving("one.Too");
    let refused = client.list(HealthListRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("101 services"), "{refused}");
    // Whoever knows their names still gets them.
    assert_eq!(check(&client, "many.S99").await, Ok(Told::NotServing));
    drop(client);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_told_to_everybody_and_can_be_taken_back() {
    let (health, world, client) = world();
    health.set_serving("a.A");
    let mut watch = client.watch(named("a.A")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    health.shut_down();
    assert_eq!(next(&mut watch).await.unwrap(), Told::NotServing);
    assert_eq!(check(&client, "").await, Ok(Told::NotServing));
    let all = client.list(HealthListRequest {}).await.unwrap();
    let mut all = all.statuses.values();
    assert!(all.all(|each| each.status() == Told::NotServing));
    health.resume();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    assert_eq!(check(&client, "").await, Ok(Told::Serving));
    drop((watch, client));
    world.end().await;
}

/// Watches would otherwise hold up every stop of every server until the end of its grace.
#[tokio::test(start_paused = true)]
async fn a_stop_tells_watches_that_nothing_serves_and_lets_them_go() {
    let (health, world, client) = world();
    health.set_serving("a.A");
    let mut whole = client.watch(named("")).await.unwrap();
    let mut one = client.watch(named("a.A")).await.unwrap();
    let mut none = client.watch(named("b.B")).await.unwrap();
    assert_eq!(next(&mut whole).await.unwrap(), Told::Serving);
    assert_eq!(next(&mut one).await.unwrap(), Told::Serving);
    assert_eq!(next(&mut none).await.unwrap(), Told::ServiceUnknown);

    let handle = world.handle.clone();
    let stop = tokio::spawn(async move { handle.graceful_stop(60 * SECOND).await });
    assert_eq!(next(&mut whole).await.unwrap(), Told::NotServing);
    assert_eq!(next(&mut one).await.unwrap(), Told::NotServing);
    for mut watch in [whole, one, none] {
        let ended = next(&mut watch).await.unwrap_err();
        assert_eq!(ended.code(), Code::Unavailable, "{ended}");
        assert!(ended.message().contains("is stopping"), "{ended}");
    }
    let report = stop.await.unwrap();
    assert_eq!(report.completed, 3, "{report:?}");
    assert_eq!(report.cut_short(), 0, "{report:?}");
    assert!(report.elapsed < SECOND, "{report:?}");
    // What was set is what it was: the stop is one server's, the reporter may be of others too.
    assert_eq!(health.status(""), Some(ServingStatus::Serving));
}

/// Whoever balances the load has to learn of the stop while calls still run.
#[tokio::test(start_paused = true)]
async fn watches_learn_of_a_stop_that_waits_for_a_call() {
    let health = HealthReporter::new();
    let slow = Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(10 * SECOND).await;
            Ok(request.into())
        })
    });
    let server = Server::insecure()
        .add_service(health.service())
        .add_service(EchoServer::new(slow));
    let world = World::memory(server);
    let echo = world.echo();
    let call = tokio::spawn(async move { echo.once(number(1)).await });
    let client = HealthClient::new(world.channel.clone());
    let mut watch = client.watch(named("")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    let handle = world.handle.clone();
    let stop = tokio::spawn(async move { handle.graceful_stop(60 * SECOND).await });
    assert_eq!(next(&mut watch).await.unwrap(), Told::NotServing);
    assert!(!stop.is_finished());
    assert_eq!(call.await.unwrap().unwrap().number, 1);
    let report = stop.await.unwrap();
    assert_eq!((report.completed, report.cut_short()), (2, 0), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reporter_may_be_gone_and_may_be_of_two_servers() {
    let health = HealthReporter::new();
    let first = World::memory(Server::insecure().add_service(health.service()));
    let second = World::memory(Server::insecure().add_service(health.service()));
    let client = |channel: &Channel| HealthClient::new(channel.clone());
    let (one, two) = (client(&first.channel), client(&second.channel));
    health.set_not_serving("a.A");
    for client in [&one, &two] {
        assert_eq!(check(client, "a.A").await, Ok(Told::NotServing));
    }
    let mut watch = two.watch(named("")).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap(), Told::Serving);
    drop(health);
    first.handle.graceful_stop(SECOND).await;
    assert_eq!(check(&two, "").await, Ok(Told::Serving));
    let silent = tokio::time::timeout(60 * SECOND, watch.recv()).await;
    silent.expect_err("the other server's stop is none of this one");
    // A watch without a reporter does not hold up the stop either.
    let report = second.handle.graceful_stop(60 * SECOND).await;
    assert!(report.elapsed < SECOND, "{report:?}");
}
