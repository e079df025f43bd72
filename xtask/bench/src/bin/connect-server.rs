//! connectrpc as its users have it: generated code, its own server on hyper, default settings.

use connectrpc::{
    ConnectError, Encodable, InboundStream, RequestContext, Response, Router, Server,
    ServiceRequest, ServiceResult, ServiceStream,
};
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trunkline_bench::{Failure, ServerArguments, run_server};

mod generated {
    include!(concat!(env!("OUT_DIR"), "/connectrpc.rs"));
}

use generated::bench::{Blob, Echo, EchoExt, Message, Order};

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener, _: ServerArguments) -> Result<(), Failure> {
    let router = Arc::new(Mirror).register(Router::new());
    Server::from_listener(listener).serve(router).await
}

struct Mirror;

impl Echo for Mirror {
    async fn unary<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, Message>,
    ) -> ServiceResult<impl Encodable<Message> + Send + use<'a>> {
        Response::ok(request.to_owned_message())
    }

    async fn large<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, Blob>,
    ) -> ServiceResult<impl Encodable<Blob> + Send + use<'a>> {
        // Without a copy of the payload.
        Response::ok(request.to_owned_view())
    }

    async fn ready(
        &self,
        _: RequestContext,
        order: ServiceRequest<'_, Order>,
    ) -> ServiceResult<ServiceStream<impl Encodable<Message> + Send + use<>>> {
        let (messages, bytes) = (order.messages, order.payload_bytes);
        let messages = (0..messages).map(move |_| Ok::<_, ConnectError>(message(bytes)));
        Response::stream_ok(tokio_stream::iter(messages))
    }

    async fn channel(
        &self,
        _: RequestContext,
        order: ServiceRequest<'_, Order>,
    ) -> ServiceResult<ServiceStream<impl Encodable<Message> + Send + use<>>> {
        let (messages, bytes) = (order.messages, order.payload_bytes);
        let (send, receive) = mpsc::channel(64);
        tokio::spawn(async move {
            for _ in 0..messages {
                if send
                    .send(Ok::<_, ConnectError>(message(bytes)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        Response::stream_ok(ReceiverStream::new(receive))
    }

    async fn download(
        &self,
        _: RequestContext,
        order: ServiceRequest<'_, Order>,
    ) -> ServiceResult<ServiceStream<impl Encodable<Blob> + Send + use<>>> {
        let blob = Blob {
            payload: vec![0x5a; order.payload_bytes as usize].into(),
            ..Blob::default()
        };
        let messages = (0..order.messages).map(move |_| Ok::<_, ConnectError>(blob.clone()));
        Response::stream_ok(tokio_stream::iter(messages))
    }

    async fn upload<'a>(
        &'a self,
        _: RequestContext,
        mut requests: InboundStream<Message>,
    ) -> ServiceResult<impl Encodable<Message> + Send + use<'a>> {
        while let Some(message) = requests.next().await {
            message?;
        }
        Response::ok(Message::default())
    }

    async fn ping_pong(
        &self,
        _: RequestContext,
        requests: InboundStream<Message>,
    ) -> ServiceResult<ServiceStream<impl Encodable<Message> + Send + use<>>> {
        Response::stream_ok(requests)
    }
}

fn message(bytes: i32) -> Message {
    Message {
        payload: vec![0x5a; bytes as usize].into(),
        ..Message::default()
    }
}
