//! Our transport. Beneath heads and messages it knows no gRPC either.

use crate::program::{ANSWER, PATIENCE};
use bytes::Bytes;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use trunkline_core::{Metadata, RawCodec};

use trunkline_transport::http2::{
    ClientConfig, ClientConnection, RequestHead, ResponseForm, ServerConfig, ServerConnection,
    ServerStream,
};
use trunkline_transport::stream::RecvHalf;
use trunkline_transport::{Address, BoxIo, Peer};

pub(crate) async fn serve(stream: TcpStream, from: SocketAddr) {
    let peer = Peer::new(Address::from(from));
    let config = ServerConfig::default();
    let Ok(mut connection) = ServerConnection::handshake(BoxIo::new(stream), peer, &config).await
    else {
        return;
    };
    while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next(cx)).await {
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: ServerStream) {
    let (mut body, respond) = stream.into_parts();
    while let Ok(Some(_)) = poll_fn(|cx| body.poll_chunk(cx)).await {}
    let form = ResponseForm {
        subtype: "",
        encoding: None,
    };
    let answer = Bytes::from_static(ANSWER.as_bytes());
    respond.reply(&form, &Metadata::new(), answer, &Metadata::new());
}

pub(crate) async fn ask(stream: TcpStream, authority: &str) -> Result<(), Box<dyn Error>> {
    let peer = Peer::new(Address::from(stream.peer_addr()?));
    let config = ClientConfig::default();
    let io = BoxIo::new(stream);
    let connection = ClientConnection::handshake(io, peer, &config, Arc::default()).await?;
    let permit = connection.try_permit().ok_or("no stream to be had")?;
    let head = RequestHead {
        path: "/",
        authority: &authority.parse()?,
        subtype: "",
        encoding: None,
        accept_encoding: None,
        timeout: None,
        user_agent: &http::HeaderValue::from_static("h2spec-client"),
        metadata: &Metadata::new(),
    };
    // The request stays open: what comes about its window is of no consequence else.
    let (request, response) = connection.start_streaming(permit, &head, usize::MAX)?;
    let mut messages = RecvHalf::<Bytes>::client(response, Box::new(RawCodec));
    let _ = messages.recv().await;
    if timeout(PATIENCE, connection.closed()).await.is_ok() {
        return Ok(());
    }
    drop(request);
    connection.close();
    let _ = connection.ended().await;
    Ok(())
}
