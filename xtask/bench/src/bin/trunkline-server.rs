//! trunkline as its users have it: generated code, default server settings.

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::server::{Receiver, RequestContext, Sender};
use trunkline::tls::{Identity, ServerTls};
use trunkline::transport::http2::ServerConfig;
use trunkline::{Response, Server, Status};
use trunkline_bench::{Certificates, Failure, ServerArguments, run_server};

mod bench {
    include!(concat!(env!("OUT_DIR"), "/trunkline/bench.rs"));
}

use bench::{Blob, Message, Order};

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener, arguments: ServerArguments) -> Result<(), Failure> {
    let listener = trunkline::transport::TcpListener::from_tokio(listener)?;
    let mut builder = match &arguments.tls {
        None => Server::insecure(),
        Some(folder) => {
            let places = Certificates::of(folder);
            let identity = Identity::from_files(places.certificate, places.key)?;
            Server::builder().credentials(ServerTls::new(identity)?)
        }
    };
    if let Some(bytes) = arguments.window {
        let mut config = ServerConfig::default();
        config.stream_window_bytes = Some(bytes);
        builder = builder.http2(config);
    }
    if let Some(threads) = arguments.workers {
        builder = builder.workers(threads);
    }
    let server = builder
        .add_service(bench::EchoServer::new(Mirror))
        .listen(listener)?;
    server.serve().await?;
    Ok(())
}

struct Mirror;

impl bench::Echo for Mirror {
    async fn unary(
        &self,
        _: &RequestContext,
        request: Message,
    ) -> Result<Response<Message>, Status> {
        Ok(request.into())
    }

    async fn large(&self, _: &RequestContext, request: Blob) -> Result<Response<Blob>, Status> {
        Ok(request.into())
    }

    async fn ready(
        &self,
        _: &RequestContext,
        order: Order,
        mut responses: Sender<Message>,
    ) -> Result<(), Status> {
        let messages = (0..order.messages).map(move |_| Message {
            payload: vec![0x5a; order.payload_bytes as usize],
        });
        responses.send_all(tokio_stream::iter(messages)).await
    }

    async fn channel(
        &self,
        _: &RequestContext,
        order: Order,
        mut responses: Sender<Message>,
    ) -> Result<(), Status> {
        let (send, receive) = mpsc::channel(64);
        tokio::spawn(async move {
            for _ in 0..order.messages {
                let payload = vec![0x5a; order.payload_bytes as usize];
                if send.send(Message { payload }).await.is_err() {
                    return;
                }
            }
        });
        responses.send_all(ReceiverStream::new(receive)).await
    }

    async fn download(
        &self,
        _: &RequestContext,
        order: Order,
        mut responses: Sender<Blob>,
    ) -> Result<(), Status> {
        let payload = Bytes::from(vec![0x5a; order.payload_bytes as usize]);
        let messages = (0..order.messages).map(move |_| Blob {
            payload: payload.clone(),
        });
        responses.send_all(tokio_stream::iter(messages)).await
    }

    async fn upload(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Message>,
    ) -> Result<Response<Message>, Status> {
        while requests.recv().await?.is_some() {}
        Ok(Message::default().into())
    }

    async fn ping_pong(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Message>,
        mut responses: Sender<Message>,
    ) -> Result<(), Status> {
        while let Some(message) = requests.recv().await? {
            responses.send(&message).await?;
        }
        Ok(())
    }
}
