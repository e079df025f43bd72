//! The floor: h2 and nothing else, a task per call, one message decoded and encoded.

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tokio::net::{TcpListener, TcpStream};
use trunkline_bench::{Failure, Message, frame, read_message, run_server};

fn main() -> Result<(), Failure> {
    run_server(serve)
}

async fn serve(listener: TcpListener) -> Result<(), Failure> {
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
    mut request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let message: Message = read_message(request.body_mut()).await?;
    let mut head = Response::new(());
    head.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    let mut body = respond.send_response(head, false)?;
    body.send_data(frame(&message)?, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers)?;
    Ok(())
}
