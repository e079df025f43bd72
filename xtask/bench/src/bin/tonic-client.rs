//! tonic as its users have it: generated code, default channel settings, a clone of the client per caller.

use bytes::Bytes;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::iter;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use trunkline_bench::{Blob, EchoClient, Message, Order};
use trunkline_bench::{Client, ClientArguments, Failure, Held, Shape, run_client};

const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    run_client::<TonicClient>()
}

#[derive(Clone)]
struct TonicClient {
    echo: EchoClient<Channel>,
}

impl Client for TonicClient {
    async fn connect(arguments: &ClientArguments) -> Result<Self, Failure> {
        let channel = Endpoint::from_shared(format!("http://{}", arguments.address))?
            .connect()
            .await?;
        Ok(Self {
            echo: EchoClient::new(channel),
        })
    }

    async fn unary(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let mut request = Request::new(Message { payload });
        request.set_timeout(TIMEOUT);
        let reply = self.echo.unary(request).await?;
        Ok(reply.into_inner().payload)
    }

    async fn large(&mut self, payload: Bytes) -> Result<Bytes, Failure> {
        let mut request = Request::new(Blob { payload });
        request.set_timeout(TIMEOUT);
        let reply = self.echo.large(request).await?;
        Ok(reply.into_inner().payload)
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
            let mut answers = self.echo.download(order).await?.into_inner();
            while let Some(blob) = answers.message().await? {
                if !take(blob.payload.len()) {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let mut answers = match shape {
            Shape::Channel => self.echo.channel(order).await?.into_inner(),
            _ => self.echo.ready(order).await?.into_inner(),
        };
        while let Some(message) = answers.message().await? {
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
        self.echo.upload(iter(messages)).await?;
        Ok(())
    }

    async fn ping_pong(
        &mut self,
        payload: usize,
        mut next: impl FnMut() -> bool + Send,
    ) -> Result<(), Failure> {
        let (messages, outgoing) = mpsc::channel(1);
        let outgoing = ReceiverStream::new(outgoing);
        let mut answers = self.echo.ping_pong(outgoing).await?.into_inner();
        while next() {
            let message = Message {
                payload: vec![0x5a; payload],
            };
            messages.send(message).await?;
            answers.message().await?.ok_or("no message back")?;
        }
        drop(messages);
        match answers.message().await? {
            None => Ok(()),
            Some(_) => Err("a message too many".into()),
        }
    }

    async fn hold(&mut self, messages: u64, payload: usize) -> Result<Held, Failure> {
        let answers = self.echo.download(order(messages, payload)).await?;
        Ok(Box::new(answers.into_inner()))
    }
}

fn order(messages: u64, payload: usize) -> Order {
    Order {
        messages: messages as i64,
        payload_bytes: payload as i32,
    }
}
