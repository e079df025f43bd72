//! An echo over HTTP/2: both sides stand on connections and halves alone.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::Authority;
use trunkline_core::protocol::read_request;
use trunkline_core::{CompressorRegistry, Metadata, RawCodec, Status};
use trunkline_transport::http2::{
    ClientConfig, ClientConnection, RequestHead, ResponseForm, ServerConfig, ServerConnection,
    ServerStream,
};
use trunkline_transport::stream::{RecvHalf, SendHalf};
use trunkline_transport::{Address, Connector, Listener, Peer, TcpConnector, TcpListener};

const LIMIT: usize = 4 << 20;

async fn echo(mut stream: ServerStream) -> Result<(), Status> {
    let method = stream.http_method().to_owned();
    if let Err(reject) = read_request(
        &method,
        stream.take_fields(),
        &CompressorRegistry::default(),
    ) {
        stream.reject(&reject);
        return Ok(());
    }
    let (body, responder) = stream.into_parts();
    let shared = responder.share(
        body,
        ResponseForm {
            subtype: "raw",
            encoding: None,
        },
    );
    let mut requests = RecvHalf::<Bytes>::server_shared(shared.clone(), Box::new(RawCodec), LIMIT);
    let mut responses = SendHalf::<Bytes>::server(shared.clone(), Box::new(RawCodec), LIMIT);
    while let Some(message) = requests.recv().await? {
        responses.send(&message).await?;
    }
    shared.finish(Ok(&Metadata::new()));
    Ok(())
}

async fn serve(mut listener: TcpListener) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (io, from) = listener.accept().await?;
    let config = ServerConfig::default();
    let mut connection = ServerConnection::handshake(io, Peer::new(from), &config).await?;
    while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
        tokio::spawn(echo(stream?));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.address();
    let serving = tokio::spawn(serve(listener));

    let io = TcpConnector::default().connect(&address).await?;
    let config = ClientConfig::default();
    let peer = Peer::new(Address::clone(&address));
    let client = ClientConnection::handshake(io, peer, &config, Arc::default()).await?;
    let head = RequestHead {
        path: "/demo.Echo/Echo",
        authority: &Authority::from_static("localhost"),
        subtype: "raw",
        encoding: None,
        accept_encoding: None,
        timeout: None,
        user_agent: &HeaderValue::from_static("consumer"),
        metadata: &Metadata::new(),
    };
    let permit = client.try_permit().ok_or("no stream is free")?;
    let (send, recv) = client.start_streaming(permit, &head, LIMIT)?;
    let mut send = SendHalf::<Bytes>::client(send, Box::new(RawCodec), LIMIT);
    let mut recv = RecvHalf::<Bytes>::client(recv, Box::new(RawCodec));
    for word in ["one", "two", "three"] {
        send.send(&Bytes::from(word)).await?;
        assert_eq!(recv.recv().await?, Some(Bytes::from(word)));
    }
    send.half_close();
    assert_eq!(recv.recv().await?, None);
    drop((send, recv));
    client.close();
    serving.await??;
    println!("transport: 3 echoes");
    Ok(())
}
