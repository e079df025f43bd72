//! Health: which services of a server are fit to be called, for those who balance load or restart
//! containers; said by a reporter, asked for and watched by clients.

use std::error::Error;
use std::time::Duration;

use trunkline::server::HealthReporter;
use trunkline::{Channel, Code, RequestContext, Response, Server, Status};
use trunkline_examples::grpc::health::v1::{HealthCheckRequest, HealthClient, HealthListRequest};
use trunkline_examples::helloworld::{Greeter, GreeterServer, HelloReply, HelloRequest};
use trunkline_examples::say;

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
async fn main() -> Result<(), Box<dyn Error>> {
    // The reporter goes to whoever knows; the service that it makes goes to the server.
    let health = HealthReporter::new();
    let server = Server::insecure()
        .add_service(GreeterServer::new(Polite))
        .add_service(health.service())
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let client = HealthClient::new(channel);

    // The server as a whole has no name, and serves from the start. Of a service nothing is known
    // until somebody says it.
    say!("check   the server {}", check(&client, "").await?);
    let greeter = GreeterServer::NAME;
    say!("check   {greeter} {}", check(&client, greeter).await?);

    // A watch is told the status at once, and every change; `changed` makes the steps below wait
    // until this one has heard of them.
    let (told, mut changed) = tokio::sync::mpsc::channel(1);
    let mut watch = client.watch(named(greeter)).await?;
    let watching = tokio::spawn(async move {
        loop {
            match watch.recv().await {
                Ok(Some(response)) => {
                    say!("watch   {greeter} {}", response.status().as_str_name());
                    let _ = told.send(()).await;
                }
                Ok(None) => return,
                Err(status) => return say!("watch   {status}"),
            }
        }
    });
    changed.recv().await;

    say!("\nthe greeter is ready");
    health.set_serving(greeter);
    changed.recv().await;

    say!("\nit loses its database, and finds it again");
    health.set_not_serving(greeter);
    changed.recv().await;
    health.set_serving(greeter);
    changed.recv().await;

    say!("\nsomebody else takes the whole server out, for a while");
    let operator = health.clone();
    operator.shut_down();
    changed.recv().await;
    // What is said meanwhile counts afterwards.
    operator.set_serving("");
    say!(
        "check   the server {}, all the while",
        check(&client, "").await?
    );
    operator.resume();
    changed.recv().await;
    operator.set_not_serving("backup.Backup");
    let all = client.list(HealthListRequest {}).await?;
    say!("list    {} services are known", all.statuses.len());

    // Nobody has to tell of the stop: watches hear of it, and do not hold it up.
    say!("\nthe server stops");
    drop(client);
    let stop = tokio::spawn(async move { handle.graceful_stop(Duration::from_secs(5)).await });
    watching.await?;
    let report = stop.await?;
    serving.await??;
    say!("server  {} calls cut short", report.cut_short());
    Ok(())
}

/// What `grpc-health-probe` would print.
async fn check(client: &HealthClient, service: &str) -> Result<&'static str, Status> {
    match client.check(named(service)).await {
        Ok(response) => Ok(response.status().as_str_name()),
        Err(status) if status.code() == Code::NotFound => Ok("NOT_FOUND"),
        Err(status) => Err(status),
    }
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}
