//! tonic as its users have it: generated code, default server settings.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::pin::Pin;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use trunkline_bench::{Blob, Echo, EchoServer, Message, Order};
use trunkline_bench::{Certificates, Failure, ServerArguments, run_server};

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener, arguments: ServerArguments) -> Result<(), Failure> {
    // `Server::serve` would set it too.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let mut builder = Server::builder();
    if let Some(folder) = &arguments.tls {
        let places = Certificates::of(folder);
        let (certificate, key) = (
            std::fs::read(places.certificate)?,
            std::fs::read(places.key)?,
        );
        let identity = Identity::from_pem(certificate, key);
        builder = builder.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    // Its default for a message is 4 MiB, as everybody's.
    builder
        .add_service(EchoServer::new(Mirror))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

struct Mirror;

#[tonic::async_trait]
impl Echo for Mirror {
    type ReadyStream = Answers<Message>;
    // What its guide writes for a channel.
    type ChannelStream = ReceiverStream<Result<Message, Status>>;
    type DownloadStream = Answers<Blob>;
    type PingPongStream = BoxStream<'static, Result<Message, Status>>;

    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn large(&self, request: Request<Blob>) -> Result<Response<Blob>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn ready(&self, request: Request<Order>) -> Result<Response<Self::ReadyStream>, Status> {
        let order = request.into_inner();
        let messages = (0..order.messages).map(move |_| {
            Ok(Message {
                payload: vec![0x5a; order.payload_bytes as usize],
            })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn channel(
        &self,
        request: Request<Order>,
    ) -> Result<Response<Self::ChannelStream>, Status> {
        let order = request.into_inner();
        let (send, receive) = mpsc::channel(64);
        tokio::spawn(async move {
            for _ in 0..order.messages {
                let payload = vec![0x5a; order.payload_bytes as usize];
                if send.send(Ok(Message { payload })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receive)))
    }

    async fn download(
        &self,
        request: Request<Order>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let order = request.into_inner();
        let payload = Bytes::from(vec![0x5a; order.payload_bytes as usize]);
        let messages = (0..order.messages).map(move |_| {
            Ok(Blob {
                payload: payload.clone(),
            })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn upload(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Message>, Status> {
        let mut messages = request.into_inner();
        while messages.message().await?.is_some() {}
        Ok(Response::new(Message::default()))
    }

    async fn ping_pong(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Self::PingPongStream>, Status> {
        Ok(Response::new(Box::pin(request.into_inner().map(|it| it))))
    }
}
