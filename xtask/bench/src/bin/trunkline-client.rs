//! trunkline as its users have it: generated code, default channel settings, a clone of the client per caller.

use bytes::Bytes;
use std::time::Duration;
use trunkline::Channel;
use trunkline_bench::{Client, ClientArguments, Failure, Held, Shape, run_client};

mod bench {
    include!(concat!(env!("OUT_DIR"), "/trunkline/bench.rs"));
}

use bench::{Blob, Message, Order};

const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    run_client::<TrunklineClient>()
}

#[derive(Clone)]
struct TrunklineClient {
    echo: bench::EchoClient,
}

impl Client for TrunklineClient {
    async fn connect(arguments: &ClientArguments) -> Result<Self, Failure> {
        // One connection, as the others have: the cell says how many there are.
        let channel = Channel::builder(arguments.address.to_string())
            .insecure()
            .max_connections(1)
            .build()?;
        Ok(Self {
            echo: bench::EchoClient::new(channel),
        })
    }

    async fn unary(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let reply = self
            .echo
            .unary(Message { payload })
            .timeout(TIMEOUT)
            .await?;
        Ok(reply.into_message().payload)
    }

    async fn large(&mut self, payload: Bytes) -> Result<Bytes, Failure> {
        let reply = self.echo.large(Blob { payload }).timeout(TIMEOUT).await?;
        Ok(reply.into_message().payload)
    }

    async fn receive(
        &mut self,
        shape: Shape,
        messages: u64,
        payload: usize,
        mut take: impl FnMut(usize) -> bool + Send,
    ) -> Result<(), Failure> {
        let order = order(messages, payload);
        if shape == Shape::Download {
            let mut answers = self.echo.download(order).await?;
            while let Some(blob) = answers.recv().await? {
                if !take(blob.payload.len()) {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let mut answers = match shape {
            Shape::Channel => self.echo.channel(order).await?,
            _ => self.echo.ready(order).await?,
        };
        while let Some(message) = answers.recv().await? {
            if !take(message.payload.len()) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn upload(&mut self, messages: u64, payload: usize) -> Result<(), Failure> {
        let messages = (0..messages).map(move |_| Message {
            payload: vec![0x5a; payload],
        });
        self.echo.upload().upload(messages).await?;
        Ok(())
    }

    async fn ping_pong(
        &mut self,
        payload: usize,
        mut next: impl FnMut() -> bool + Send,
    ) -> Result<(), Failure> {
        let (mut messages, mut answers) = self.echo.ping_pong().await?;
        while next() {
            let message = Message {
                payload: vec![0x5a; payload],
            };
            messages.send(&message).await?;
            answers.recv().await?.ok_or("no message back")?;
        }
        messages.finish();
        match answers.recv().await? {
            None => Ok(()),
            Some(_) => Err("a message too many".into()),
        }
    }

    async fn hold(&mut self, messages: u64, payload: usize) -> Result<Held, Failure> {
        let mut answers = self.echo.download(order(messages, payload)).await?;
        answers.headers().await?;
        Ok(Box::new(answers))
    }
}

fn order(messages: u64, payload: usize) -> Order {
    Order {
        messages: messages as i64,
        payload_bytes: payload as i32,
    }
}
