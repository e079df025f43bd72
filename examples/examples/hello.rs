//! One unary call, with what may go along with it: metadata both ways, a timeout, and an error.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

struct Polite;

impl Greeter for Polite {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        println!("server  {} from {}", cx.method().path, cx.peer().address());
        if request.name.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet?"));
        }
        let greeting = match cx.metadata().get("language") {
            Some("fr") => "Bonjour",
            _ => "Hello",
        };
        let mut reply = Response::new(HelloReply {
            message: format!("{greeting}, {}!", request.name),
        });
        reply.headers_mut().insert("served-by", "polite")?;
        Ok(reply)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .add_service(GreeterServer::new(Polite))
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let greeter = GreeterClient::new(channel);
    let hello = |name: &str| HelloRequest {
        name: name.to_owned(),
    };

    // A call is a value: awaiting it makes it.
    let reply = greeter.say_hello(hello("world")).await?;
    println!("client  {}", reply.message);

    // Options are set on the way.
    let reply = greeter
        .say_hello(hello("le monde"))
        .metadata("language", "fr")
        .timeout(Duration::from_secs(1))
        .await?;
    let served_by = reply.headers().get("served-by").unwrap_or("nobody");
    println!("client  {} (served by {served_by})", reply.message);

    // An error is a Status: a code for programs, a text for people.
    match greeter.say_hello(hello("")).await {
        Ok(reply) => println!("client  unexpected: {}", reply.message),
        Err(status) => println!("client  {status} (code {})", status.code().number()),
    }

    let report = handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    let stats = handle.stats();
    println!(
        "server  stopped in {:?}: {} calls over {} connection",
        report.elapsed, stats.rpcs_started, stats.connections_accepted
    );
    Ok(())
}
