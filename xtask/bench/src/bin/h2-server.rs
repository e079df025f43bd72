//! The floor: h2 and nothing else, a task per call, messages decoded and encoded.

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use std::future::poll_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use trunkline_bench::{Blob, Message, Order};
use trunkline_bench::{Failure, Messages, ServerArguments, frame, read_message, run_server};

/// Small messages are packed up to this.
const PACKED_BYTES: usize = 32 * 1024;

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener, _: ServerArguments) -> Result<(), Failure> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(connection(socket));
    }
}

/// A client that goes away ends its connection and its calls with errors: the clients judge, here nothing is reported.
async fn connection(socket: TcpStream) -> Result<(), Failure> {
    let mut connection = Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .handshake::<_, Bytes>(socket)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(answer(request, respond));
    }
    Ok(())
}

async fn answer(
    mut request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let mut head = Response::new(());
    head.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    let method = request.uri().path().rsplit('/').next();
    let mut body = match method {
        Some("Unary") => {
            let message: Message = read_message(request.body_mut()).await?;
            let mut body = respond.send_response(head, false)?;
            // Within a new stream's window.
            body.send_data(frame(&message)?, false)?;
            body
        }
        Some("Large") => {
            let message: Blob = read_message(request.body_mut()).await?;
            let mut body = respond.send_response(head, false)?;
            send(&mut body, frame(&message)?).await?;
            body
        }
        Some("Upload") => {
            let mut messages = Messages::<Message>::new();
            while messages.next(request.body_mut()).await?.is_some() {}
            let mut body = respond.send_response(head, false)?;
            body.send_data(frame(&Message::default())?, false)?;
            body
        }
        Some("PingPong") => {
            let mut body = respond.send_response(head, false)?;
            let mut messages = Messages::<Message>::new();
            while let Some(message) = messages.next(request.body_mut()).await? {
                send(&mut body, frame(&message)?).await?;
            }
            body
        }
        Some("Ready" | "Download") => {
            let order: Order = read_message(request.body_mut()).await?;
            let mut body = respond.send_response(head, false)?;
            ready(&mut body, order).await?;
            body
        }
        Some("Channel") => {
            let order: Order = read_message(request.body_mut()).await?;
            let mut body = respond.send_response(head, false)?;
            channel(&mut body, order).await?;
            body
        }
        _ => return Err("no such method".into()),
    };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers)?;
    Ok(())
}

async fn ready(body: &mut SendStream<Bytes>, order: Order) -> Result<(), Failure> {
    let mut packed = BytesMut::new();
    for _ in 0..order.messages {
        packed.extend_from_slice(&frame(&message(order))?);
        if packed.len() >= PACKED_BYTES {
            send(body, packed.split().freeze()).await?;
        }
    }
    send(body, packed.freeze()).await
}

async fn channel(body: &mut SendStream<Bytes>, order: Order) -> Result<(), Failure> {
    let (give, mut take) = mpsc::channel(64);
    tokio::spawn(async move {
        for _ in 0..order.messages {
            if give.send(message(order)).await.is_err() {
                return;
            }
        }
    });
    let mut messages = Vec::with_capacity(64);
    while take.recv_many(&mut messages, 64).await > 0 {
        let mut packed = BytesMut::new();
        for message in messages.drain(..) {
            packed.extend_from_slice(&frame(&message)?);
        }
        send(body, packed.freeze()).await?;
    }
    Ok(())
}

fn message(order: Order) -> Message {
    Message {
        payload: vec![0x5a; order.payload_bytes as usize],
    }
}

/// Waits for window, so that no more than the peer takes lies here.
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
