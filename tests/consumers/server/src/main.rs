//! Says where it listens, and serves until its standard input ends.

use std::io::Read;
use std::time::Duration;

use trunkline_core::{Response, Status};
use trunkline_server::{Receiver, RequestContext, Sender, Server};

mod generated {
    trunkline_server::include_protos!();
}
use generated::consumers::{Greeter, GreeterServer, HelloReply, HelloRequest};

struct Polite;

fn greet(request: &HelloRequest) -> HelloReply {
    HelloReply {
        message: format!("Hello, {}!", request.name),
    }
}

impl Greeter for Polite {
    async fn say_hello(
        &self,
        _: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        Ok(greet(&request).into())
    }

    async fn greet_all(
        &self,
        _: &RequestContext,
        mut names: Receiver<HelloRequest>,
        mut greetings: Sender<HelloReply>,
    ) -> Result<(), Status> {
        while let Some(request) = names.recv().await? {
            greetings.send(&greet(&request)).await?;
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
    println!("{}", server.local_address());
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    let report = handle.graceful_stop(Duration::from_secs(5)).await;
    serving.await??;
    assert_eq!(report.unfinished, 0);
    println!("server: {} calls", handle.stats().rpcs_completed);
    Ok(())
}
