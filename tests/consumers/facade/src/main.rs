//! Client and server in one process, as in the README; and an error with details.

use std::time::Duration;

use trunkline::details::BadRequest;
use trunkline::server::{Receiver, Sender};
use trunkline::{Channel, Code, RequestContext, Response, Server, Status};

mod generated {
    trunkline::include_protos!();
}
use generated::consumers::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

struct Polite;

fn greet(request: &HelloRequest) -> Result<HelloReply, Status> {
    if request.name.is_empty() {
        let detail = BadRequest::new().violation("name", "is empty");
        return Err(Status::invalid_argument("whom shall I greet?").with_detail(detail));
    }
    Ok(HelloReply {
        message: format!("Hello, {}!", request.name),
    })
}

impl Greeter for Polite {
    async fn say_hello(
        &self,
        _: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        Ok(greet(&request)?.into())
    }

    async fn greet_all(
        &self,
        _: &RequestContext,
        mut names: Receiver<HelloRequest>,
        mut greetings: Sender<HelloReply>,
    ) -> Result<(), Status> {
        while let Some(request) = names.recv().await? {
            greetings.send(&greet(&request)?).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::insecure()
        .add_service(GreeterServer::new(Polite))
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let greeter = GreeterClient::new(channel);
    let hello = |name: &str| HelloRequest { name: name.into() };
    let reply = greeter.say_hello(hello("ann")).await?;
    assert_eq!(reply.message, "Hello, ann!");
    let refused = greeter.say_hello(hello("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let request: BadRequest = refused.detail().ok_or("no details")?;
    assert_eq!(request.field_violations[0].field, "name");

    handle.graceful_stop(Duration::from_secs(5)).await;
    serving.await??;
    println!("facade: {} calls", handle.stats().rpcs_completed);
    Ok(())
}
