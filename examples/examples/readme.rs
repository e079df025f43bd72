//! The example of the README: below these lines it is the same, word for word.
#![expect(clippy::print_stdout, reason = "an example")]

mod pb {
    trunkline::include_protos!();
}
use pb::helloworld::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};
use trunkline::{Channel, RequestContext, Response, Server, Status};

struct Polite;
impl Greeter for Polite {
    async fn say_hello(
        &self,
        _: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        let message = format!("Hello, {}!", request.name);
        Ok(HelloReply { message }.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let greeter = GreeterServer::new(Polite);
    let server = Server::insecure()
        .add_service(greeter)
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    tokio::spawn(server.serve());
    let greeter = GreeterClient::new(channel);
    let name = "trunkline".to_owned();
    let reply = greeter.say_hello(HelloRequest { name }).await?;
    println!("{}", reply.message);
    Ok(())
}
