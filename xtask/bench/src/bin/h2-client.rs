//! The floor for measured clients: h2 called from the caller's task.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderValue, Method, Request, Uri, header};
use std::future::poll_fn;
use tokio::net::TcpStream;
use trunkline_bench::{Blob, Message, Order};
use trunkline_bench::{
    Client, ClientArguments, Failure, Held, Messages, Shape, frame, read_message, run_client,
};

fn main() -> Result<(), Failure> {
    run_client::<BareClient>()
}

#[derive(Clone)]
struct BareClient {
    requests: SendRequest<Bytes>,
    origin: String,
    unary: Uri,
}

impl BareClient {
    async fn start(&mut self, uri: Uri) -> Result<(ResponseFuture, SendStream<Bytes>), Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        poll_fn(|context| self.requests.poll_ready(context)).await?;
        Ok(self.requests.send_request(request, false)?)
    }

    fn uri(&self, shape: Shape) -> Result<Uri, Failure> {
        Ok(format!("{}{}", self.origin, shape.path()).parse()?)
    }
}

impl Client for BareClient {
    async fn connect(arguments: &ClientArguments) -> Result<Self, Failure> {
        let socket = TcpStream::connect(arguments.address).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .initial_max_send_streams(1_000)
            .handshake(socket)
            .await?;
        tokio::spawn(connection);
        let origin = format!("http://{}", arguments.address);
        let unary = format!("{origin}{}", Shape::Unary.path()).parse()?;
        Ok(Self {
            requests,
            origin,
            unary,
        })
    }

    async fn unary(&mut self, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let (response, mut body) = self.start(self.unary.clone()).await?;
        body.send_data(frame(&Message { payload })?, true)?;
        let mut response = response.await?;
        let message: Message = read_message(response.body_mut()).await?;
        succeeded(response.body_mut()).await?;
        Ok(message.payload)
    }

    async fn large(&mut self, payload: Bytes) -> Result<Bytes, Failure> {
        let (response, mut body) = self.start(self.uri(Shape::Large)?).await?;
        send(&mut body, frame(&Blob { payload })?).await?;
        body.send_data(Bytes::new(), true)?;
        let mut response = response.await?;
        let message: Blob = read_message(response.body_mut()).await?;
        succeeded(response.body_mut()).await?;
        Ok(message.payload)
    }

    async fn receive(
        &mut self,
        shape: Shape,
        messages: u64,
        payload: usize,
        mut take: impl FnMut(usize) -> bool + Send,
    ) -> Result<(), Failure> {
        let (response, mut body) = self.start(self.uri(shape)?).await?;
        body.send_data(frame(&order(messages, payload))?, true)?;
        let mut response = response.await?;
        let mut answers = Messages::<Message>::new();
        while let Some(message) = answers.next(response.body_mut()).await? {
            if !take(message.payload.len()) {
                return Ok(());
            }
        }
        succeeded(response.body_mut()).await
    }

    async fn upload(&mut self, messages: u64, payload: usize) -> Result<(), Failure> {
        let (response, mut body) = self.start(self.uri(Shape::Upload)?).await?;
        for _ in 0..messages {
            let message = Message {
                payload: vec![0x5a; payload],
            };
            send(&mut body, frame(&message)?).await?;
        }
        body.send_data(Bytes::new(), true)?;
        let mut response = response.await?;
        let _: Message = read_message(response.body_mut()).await?;
        succeeded(response.body_mut()).await
    }

    async fn ping_pong(
        &mut self,
        payload: usize,
        mut next: impl FnMut() -> bool + Send,
    ) -> Result<(), Failure> {
        let (response, mut body) = self.start(self.uri(Shape::PingPong)?).await?;
        let mut response = response.await?;
        let mut answers = Messages::<Message>::new();
        while next() {
            let message = Message {
                payload: vec![0x5a; payload],
            };
            send(&mut body, frame(&message)?).await?;
            let answer = answers.next(response.body_mut()).await?;
            answer.ok_or("no message back")?;
        }
        body.send_data(Bytes::new(), true)?;
        match answers.next(response.body_mut()).await? {
            None => succeeded(response.body_mut()).await,
            Some(_) => Err("a message too many".into()),
        }
    }

    async fn hold(&mut self, messages: u64, payload: usize) -> Result<Held, Failure> {
        let (response, mut body) = self.start(self.uri(Shape::Download)?).await?;
        body.send_data(frame(&order(messages, payload))?, true)?;
        Ok(Box::new(response.await?))
    }
}

async fn succeeded(body: &mut RecvStream) -> Result<(), Failure> {
    let trailers = body.trailers().await?.ok_or("no trailers")?;
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        other => Err(format!("grpc-status {other:?}").into()),
    }
}

fn order(messages: u64, payload: usize) -> Order {
    Order {
        messages: messages as i64,
        payload_bytes: payload as i32,
    }
}

async fn send(body: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Failure> {
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let mut room = body.capacity();
        if room == 0 {
            room = poll_fn(|context| body.poll_capacity(context))
                .await
                .ok_or("the stream is gone")??;
        }
        let chunk = bytes.split_to(room.min(bytes.len()));
        body.send_data(chunk, false)?;
    }
    Ok(())
}
