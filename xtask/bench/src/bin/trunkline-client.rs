//! trunkline as its users have it: generated code, default channel settings, a clone of the client per caller.

use std::net::SocketAddr;
use trunkline::Channel;
use trunkline_bench::{Client, Failure, run_client};

mod bench {
    include!(concat!(env!("OUT_DIR"), "/trunkline/bench.rs"));
}

fn main() -> Result<(), Failure> {
    run_client::<TrunklineClient>()
}

#[derive(Clone)]
struct TrunklineClient {
    echo: bench::EchoClient,
}

impl Client for TrunklineClient {
    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        // One connection, as the others have: the cell says how many there are.
        let channel = Channel::builder(address.to_string())
            .insecure()
            .max_connections(1)
            .build()?;
        Ok(Self {
            echo: bench::EchoClient::new(channel),
        })
    }

    async fn call(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let reply = self.echo.unary(bench::Message { payload }).await?;
        Ok(reply.into_message().payload)
    }
}
