//! tonic as its users have it: generated code, default channel settings, a clone of the client per caller.

use std::net::SocketAddr;
use tonic::transport::{Channel, Endpoint};
use trunkline_bench::{Client, EchoClient, Failure, Message, run_client};

fn main() -> Result<(), Failure> {
    run_client::<TonicClient>()
}

#[derive(Clone)]
struct TonicClient {
    echo: EchoClient<Channel>,
}

impl Client for TonicClient {
    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .connect()
            .await?;
        Ok(Self {
            echo: EchoClient::new(channel),
        })
    }

    async fn call(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let reply = self.echo.unary(Message { payload }).await?;
        Ok(reply.into_inner().payload)
    }
}
