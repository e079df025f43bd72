//! What a server does with a client that speaks something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http2::{ServerConfig, ServerConnection};
use crate::{Address, BoxIo, Peer};

#[tokio::test]
async fn a_client_without_a_preface_sees_the_end_of_the_connection_and_no_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    // Longer than a preface: what is left of it is never read by HTTP/2.
    let request = b"GET / HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (socket, from) = listener.accept().await.unwrap();
    let server = tokio::spawn(async move {
        let peer = Peer::new(Address::from(from));
        let config = ServerConfig::default();
        ServerConnection::handshake(BoxIo::new(socket), peer, &config).await
    });
    let mut answer = Vec::new();
    client
        .read_to_end(&mut answer)
        .await
        .expect("an end, not a reset");
    drop(client);
    let why = server.await.unwrap().expect_err("that was no HTTP/2");
    assert!(why.message().contains("HTTP/1"), "{why}");
}
