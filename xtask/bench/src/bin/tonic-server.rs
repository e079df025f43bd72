//! tonic as its users have it: generated code, default server settings.

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use trunkline_bench::{Echo, EchoServer, Failure, Message, run_server};

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    // `Server::serve` would set it too.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(EchoServer::new(Mirror))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

struct Mirror;

#[tonic::async_trait]
impl Echo for Mirror {
    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}
