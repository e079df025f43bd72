//! Layers of tower around calls and around RPCs: limits, timeouts and load shedding as they are
//! known from other services, each for a whole channel or a whole server.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use tokio::task::JoinSet;
use tower::ServiceBuilder;
use trunkline::client::ChannelBuilder;
use trunkline::{Channel, Code, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

/// Takes its time.
struct Slow;

impl Greeter for Slow {
    async fn say_hello(
        &self,
        _: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        let pause = request.name.parse().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let message = format!("Hello after {pause} ms!");
        Ok(HelloReply { message }.into())
    }
}

/// Makes calls of so many milliseconds at once, and counts how they end.
async fn at_once(channel: ChannelBuilder, calls: [u64; 6]) -> Result<String, Box<dyn Error>> {
    let greeter = GreeterClient::new(channel.build()?);
    let mut all = JoinSet::new();
    for pause in calls {
        let name = pause.to_string();
        all.spawn(greeter.say_hello(HelloRequest { name }).owned());
    }
    let codes: Vec<Code> = all.join_all().await.iter().map(Code::of).collect();
    let count = |code| codes.iter().filter(|each| **each == code).count();
    let late = count(Code::DeadlineExceeded);
    let shed = count(Code::ResourceExhausted);
    Ok(format!("{} OK, {late} late, {shed} shed", count(Code::Ok)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .add_service(GreeterServer::new(Slow))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    let serving = tokio::spawn(server.serve());
    let channel = || Channel::builder(&address).insecure();

    // A timeout for every call, as DEADLINE_EXCEEDED. (`.timeout()` of the channel does this too,
    // and tells the server.)
    let layers = ServiceBuilder::new().timeout(Duration::from_secs(1));
    let calls = [0, 0, 0, 0, 60_000, 60_000];
    println!(
        "client  timeout: {}",
        at_once(channel().layer(layers), calls).await?
    );

    // At most two calls at once: the others wait for their turn.
    let layers = ServiceBuilder::new().concurrency_limit(2);
    println!(
        "client  limit: {}",
        at_once(channel().layer(layers), [20; 6]).await?
    );

    // Instead of waiting they fail at once, as RESOURCE_EXHAUSTED.
    let layers = ServiceBuilder::new().load_shed().concurrency_limit(2);
    println!(
        "client  shed: {}",
        at_once(channel().layer(layers), [300; 6]).await?
    );

    serving.abort();

    // The same around the RPCs of a server, for all its connections together. A stack is as long as
    // needed: of what is not shed, nothing takes longer than a second. Handlers that do are dropped.
    let layers = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(2)
        .timeout(Duration::from_secs(1));
    let server = Server::insecure()
        .layer(layers)
        .add_service(GreeterServer::new(Slow))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    println!(
        "server  stack: {}",
        at_once(Channel::builder(&address).insecure(), [60_000; 6]).await?
    );
    let report = handle.graceful_stop(Duration::from_secs(5)).await;
    println!("server  {} calls cut short", report.cut_short());
    serving.await??;
    Ok(())
}
