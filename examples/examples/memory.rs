//! Server and client in one process without a socket: for tests, and for programs that embed both.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use tokio::task::JoinSet;
use trunkline::transport::memory;
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

struct Colleague;

impl Greeter for Colleague {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        if request.name == "memory" {
            println!("server  called from {}", cx.peer().address());
        }
        let message = format!("Hello, {}!", request.name);
        Ok(HelloReply { message }.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The two ends of a switchboard: whoever holds the connector reaches the listener. It can be
    // cloned, and handed to other parts of the program.
    let (connector, listener) = memory::pair("office");
    let server = Server::insecure()
        .add_service(GreeterServer::new(Colleague))
        .listen(listener)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    // HTTP/2, flow control, deadlines and limits: all as over a network.
    let channel = Channel::builder("memory:office")
        .connector(connector)
        .insecure()
        .build()?;
    let greeter = GreeterClient::new(channel);
    let hello = |name: String| greeter.say_hello(HelloRequest { name });
    println!("client  {}", hello("memory".to_owned()).await?.message);

    let mut calls = JoinSet::new();
    for number in 0..100 {
        calls.spawn(hello(format!("number {number}")).owned());
    }
    let mut answered = 0;
    while let Some(call) = calls.join_next().await {
        call??;
        answered += 1;
    }
    let connections = handle.stats().connections_accepted;
    println!("client  {answered} calls at once, {connections} connection");

    let report = handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    println!("server  stopped, {} calls cut short", report.cut_short());
    Ok(())
}
