//! trunkline as its users have it: generated code, default server settings.

use tokio::net::TcpListener;
use trunkline::server::RequestContext;
use trunkline::{Response, Server, Status};
use trunkline_bench::{Failure, run_server};

mod bench {
    include!(concat!(env!("OUT_DIR"), "/trunkline/bench.rs"));
}

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let listener = trunkline::transport::TcpListener::from_tokio(listener)?;
    let server = Server::insecure()
        .add_service(bench::EchoServer::new(Mirror))
        .listen(listener)?;
    server.serve().await?;
    Ok(())
}

struct Mirror;

impl bench::Echo for Mirror {
    async fn unary(
        &self,
        _cx: &RequestContext,
        request: bench::Message,
    ) -> Result<Response<bench::Message>, Status> {
        Ok(request.into())
    }
}
