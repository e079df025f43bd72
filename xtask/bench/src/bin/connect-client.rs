//! connectrpc as its users have it for gRPC: generated code, one shared HTTP/2 connection, default settings.

use bytes::Bytes;
use connectrpc::Protocol;
use connectrpc::client::{CallOptions, ClientConfig, Http2Connection, SharedHttp2Connection};
use std::time::Duration;
use tokio_stream::iter;
use trunkline_bench::{Client, ClientArguments, Failure, Held, Shape, run_client};

mod generated {
    include!(concat!(env!("OUT_DIR"), "/connectrpc.rs"));
}

use generated::bench::{Blob, EchoClient, Message, Order};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What its documentation has.
const QUEUE: usize = 1_024;

fn main() -> Result<(), Failure> {
    run_client::<ConnectClient>()
}

#[derive(Clone)]
struct ConnectClient {
    echo: EchoClient<SharedHttp2Connection>,
}

impl Client for ConnectClient {
    async fn connect(arguments: &ClientArguments) -> Result<Self, Failure> {
        let uri: http::Uri = format!("http://{}", arguments.address).parse()?;
        let connection = Http2Connection::connect_plaintext(uri.clone()).await?;
        let config = ClientConfig::new(uri).with_protocol(Protocol::Grpc);
        Ok(Self {
            echo: EchoClient::new(connection.shared(QUEUE), config),
        })
    }

    async fn unary(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let options = CallOptions::default().with_timeout(TIMEOUT);
        let request = Message {
            payload: payload.into(),
            ..Message::default()
        };
        let reply = self.echo.unary_with_options(request, options).await?;
        Ok(reply.into_owned().payload.into())
    }

    async fn large(&mut self, payload: Bytes) -> Result<Bytes, Failure> {
        let options = CallOptions::default().with_timeout(TIMEOUT);
        let request = Blob {
            payload: payload.into(),
            ..Blob::default()
        };
        let reply = self.echo.large_with_options(request, options).await?;
        Ok(reply.into_owned().payload.into())
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
            while let Some(blob) = answers.message::<Blob>().await? {
                if !take(blob.view().payload.len()) {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let mut answers = match shape {
            Shape::Channel => self.echo.channel(order).await?,
            _ => self.echo.ready(order).await?,
        };
        while let Some(message) = answers.message::<Message>().await? {
            // The others have their messages decoded to vectors of their own.
            if !take(message.to_owned_message().payload.len()) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn upload(&mut self, messages: u64, payload: usize) -> Result<(), Failure> {
        let messages = (0..messages).map(move |_| message(payload));
        self.echo.upload(iter(messages)).await?;
        Ok(())
    }

    async fn ping_pong(
        &mut self,
        payload: usize,
        mut next: impl FnMut() -> bool + Send,
    ) -> Result<(), Failure> {
        let mut stream = self.echo.ping_pong().await?;
        while next() {
            stream.send(message(payload)).await?;
            let answer = stream
                .message::<Message>()
                .await?
                .ok_or("no message back")?;
            drop(answer.to_owned_message());
        }
        stream.close_send();
        match stream.message::<Message>().await? {
            None => Ok(()),
            Some(_) => Err("a message too many".into()),
        }
    }

    async fn hold(&mut self, messages: u64, payload: usize) -> Result<Held, Failure> {
        Ok(Box::new(
            self.echo.download(order(messages, payload)).await?,
        ))
    }
}

fn message(bytes: usize) -> Message {
    Message {
        payload: vec![0x5a; bytes].into(),
        ..Message::default()
    }
}

fn order(messages: u64, payload: usize) -> Order {
    Order {
        messages: messages as i64,
        payload_bytes: payload as i32,
        ..Order::default()
    }
}
