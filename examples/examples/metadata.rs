//! Metadata: text and bytes in both directions, and what is refused before it is sent.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use trunkline::{Channel, Metadata, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

struct Attentive;

impl Greeter for Attentive {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        for (key, value) in cx.metadata().iter() {
            println!("server  {key}: {value:?}");
        }
        // A key that ends in -bin has bytes: no base64 to be seen on either side.
        let ticket = cx.metadata().get_bin("ticket-bin").unwrap_or_default();
        if ticket.is_empty() {
            let mut status = Status::unauthenticated("no ticket");
            status.metadata_mut().insert("sold-at", "the box office")?;
            return Err(status);
        }
        let mut reply = Response::new(HelloReply {
            message: format!("Hello, {}!", request.name),
        });
        reply.headers_mut().insert("served-by", "gate 3")?;
        reply.headers_mut().insert_bin(
            "stamped-bin",
            ticket.iter().rev().copied().collect::<Vec<_>>(),
        )?;
        // Trailers follow the message: for what is known only then.
        reply.trailers_mut().insert("seats-left", "12")?;
        Ok(reply)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .add_service(GreeterServer::new(Attentive))
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let greeter = GreeterClient::new(channel);
    let ann = || HelloRequest {
        name: "ann".to_owned(),
    };
    let reply = greeter
        .say_hello(ann())
        .metadata("seat", "12a")
        .metadata("seat", "12b")
        .metadata_bin("ticket-bin", [0, 1, 254, 255])
        .await?;
    println!("client  {}", reply.message);
    println!("client  served by {:?}", reply.headers().get("served-by"));
    println!(
        "client  stamped {:?}",
        reply
            .headers()
            .get_bin("stamped-bin")
            .map(|bytes| bytes.to_vec())
    );
    println!(
        "client  seats left: {:?}",
        reply.trailers().get("seats-left")
    );

    // Metadata comes with an error too.
    let refused = greeter.say_hello(ann()).await.expect_err("refused");
    println!(
        "client  {refused}: ask {:?}",
        refused.metadata().get("sold-at")
    );

    // What cannot be sent is an error where it is set, or where the call is awaited.
    let mut metadata = Metadata::new();
    for (key, value) in [
        ("Seat", "12a"),
        ("seat", "12\n"),
        ("grpc-seat", "12a"),
        ("seat-bin", "12a"),
    ] {
        match metadata.insert(key, value) {
            Ok(()) => println!("client  {key} is fine"),
            Err(error) => println!("client  {error}"),
        }
    }
    let never_sent = greeter.say_hello(ann()).metadata("se at", "12a").await;
    println!("client  {}", never_sent.expect_err("refused"));

    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    Ok(())
}
