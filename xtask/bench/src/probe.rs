//! One call by the h2 crate, with everything looked at: the load generator itself reads no headers.

use crate::echo::{Message, Order};
use crate::grpc::{Messages, frame};
use crate::{Failure, Shape};
use h2::client::Builder;
use http::{Method, Request, header};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

const BOUND: Duration = Duration::from_secs(10);

/// Calls once: the right messages come back, and status 0.
pub(crate) async fn check(
    address: SocketAddr,
    shape: Shape,
    payload: usize,
) -> Result<(), Failure> {
    let answered = tokio::time::timeout(BOUND, call(address, shape, payload)).await;
    answered.map_err(|_| "no answer to the first call")?
}

async fn call(address: SocketAddr, shape: Shape, payload: usize) -> Result<(), Failure> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (requests, connection) = Builder::new()
        .initial_window_size(8 << 20)
        .initial_connection_window_size(8 << 20)
        .handshake(socket)
        .await?;
    let driver = tokio::spawn(connection);
    let mut requests = requests.ready().await?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{}", shape.path()))
        .header(header::TE, "trailers")
        .header(header::CONTENT_TYPE, "application/grpc")
        .body(())?;
    let (response, mut body) = requests.send_request(request, false)?;
    let is_streamed = matches!(shape, Shape::Ready | Shape::Channel | Shape::Download);
    let message = Message {
        payload: vec![0x5a; payload],
    };
    let order = Order {
        messages: 1,
        payload_bytes: payload as i32,
    };
    let request = if is_streamed {
        frame(&order)?
    } else {
        frame(&message)?
    };
    body.send_data(request, true)?;

    let mut response = response.await?;
    let mut messages = Messages::<Message>::new();
    let mut received = Vec::new();
    while let Some(message) = messages.next(response.body_mut()).await? {
        received.push(message.payload.len());
    }
    let trailers = response.body_mut().trailers().await?;
    let status = trailers.as_ref().unwrap_or(response.headers());
    let status = status.get("grpc-status").and_then(|it| it.to_str().ok());
    let expected = if shape == Shape::Upload { 0 } else { payload };
    if status != Some("0") || received != [expected] {
        return Err(format!(
            "{}: payloads of {received:?} bytes, grpc-status {status:?}",
            shape.path()
        )
        .into());
    }
    driver.abort();
    Ok(())
}
