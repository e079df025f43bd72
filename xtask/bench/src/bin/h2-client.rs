//! The load that every measured server gets, and the floor for measured clients: h2 called from the caller's task.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{HeaderValue, Method, Request, Uri, header};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use trunkline_bench::{Client, Failure, Message, frame, read_message, run_client};

fn main() -> Result<(), Failure> {
    run_client::<BareClient>()
}

#[derive(Clone)]
struct BareClient {
    requests: SendRequest<Bytes>,
    uri: Uri,
}

impl Client for BareClient {
    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .initial_max_send_streams(1_000)
            .handshake(socket)
            .await?;
        tokio::spawn(connection);
        Ok(Self {
            requests,
            uri: format!("http://{address}/bench.Echo/Unary").parse()?,
        })
    }

    async fn call(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );

        std::future::poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        let (response, mut body) = self.requests.send_request(request, false)?;
        body.send_data(frame(&Message { payload })?, true)?;
        let mut response = response.await?;
        let message: Message = read_message(response.body_mut()).await?;
        let trailers = response.body_mut().trailers().await?.ok_or("no trailers")?;
        match trailers.get("grpc-status") {
            Some(status) if status == "0" => Ok(message.payload),
            other => Err(format!("grpc-status {other:?}").into()),
        }
    }
}
