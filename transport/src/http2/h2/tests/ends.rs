//! Streams and connections that end otherwise than in order: nothing is left over.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::BoxIo;

fn large() -> Bytes {
    let mut out = bytes::BytesMut::new();
    let message = Bytes::from(vec![0; 300_000]);
    let framed = FrameEncoder::new(LIMIT).encode(&message, &RawCodec, &mut out);
    framed.unwrap();
    out.freeze()
}

#[tokio::test]
async fn a_request_answered_before_it_was_sent_leaves_nothing_behind() {
    let config = ServerConfig {
        max_concurrent_streams: 1,
        stream_window_bytes: Some(64 * 1024),
        ..ServerConfig::default()
    };
    let mut world = world(config).await;
    for _ in 0..3 {
        let mut answer = world.unary_of(large());
        let (_unread, responder) = world.streams.recv().await.unwrap().into_parts();
        responder.fail(&Status::out_of_range("too much"));
        let error = answer.recv().await.unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange);
        let free = async {
            while world.client.usage().in_use > 0 {
                tokio::task::yield_now().await;
            }
        };
        let free = tokio::time::timeout(Duration::from_secs(5), free).await;
        free.expect("the stream's place was never freed");
    }
}

#[tokio::test]
async fn the_receiver_tells_the_peers_reset_and_not_what_followed_it() {
    let mut world = world(ServerConfig::default()).await;
    let (mut send, mut recv) = world.bidi();
    let stream = world.streams.recv().await.unwrap();
    drop(stream.into_parts());
    let first = poll_fn(|cx| send.poll_closed(cx)).await;
    assert_eq!(first.code(), Code::Internal, "{first}");
    drop(send);
    let told = recv.recv().await.unwrap_err();
    assert_eq!(told.code(), Code::Internal, "{told}");
    assert!(told.message().contains("INTERNAL_ERROR"), "{told}");
}

#[tokio::test]
async fn a_refused_sender_goes_on_until_it_is_too_much() {
    let world = world_that(ServerConfig::default(), ServerConnection::refuse_new).await;
    let (mut send, mut recv) = world.bidi();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let message = Bytes::from(vec![0; 10_000]);
    let sending = async {
        for _ in 0..20 {
            send.send(&message).await.unwrap();
        }
        poll_fn(|cx| send.poll_flush(cx)).await.unwrap();
        loop {
            if let Err(why) = send.send(&message).await {
                return why;
            }
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(5), sending).await;
    assert!(why.expect("an end").is_unprocessed());
    let told = recv.recv().await.unwrap_err();
    assert!(told.is_unprocessed() && !recv.may_restart(), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_more_does_not_keep_the_socket() {
    let (near, mut far) = duplex(1_000);
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    far.write_all(&settings).await.unwrap();
    let config = ClientConfig::default();
    let client = ClientConnection::handshake(BoxIo::new(near), peer(), &config, Arc::default());
    let client = client.await.unwrap();
    let authority = Authority::from_static("test");
    let agent = HeaderValue::from_static("agent");
    let none = Metadata::new();
    let permit = client.try_permit().unwrap();
    let head = head(&authority, &agent, &none);
    let call = client.start_single(permit, &head, large(), LIMIT).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop((call, client));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut taken = Vec::new();
    let rest = far.read_to_end(&mut taken);
    let rest = tokio::time::timeout(Duration::from_secs(1), rest).await;
    rest.expect("the socket is closed").unwrap();
}

#[tokio::test]
async fn a_lost_connection_leaves_no_memory_behind() {
    let name: Arc<str> = "remembered".into();
    let (near, far) = memory::pipe();
    let server = tokio::spawn(async move {
        let config = ServerConfig::default();
        let served = ServerConnection::handshake(far, peer(), &config).await;
        let mut connection = served.unwrap();
        poll_fn(|cx| connection.poll_next(cx)).await
    });
    let config = ClientConfig::default();
    let to = Peer::new(Address::Memory(Arc::clone(&name)));
    let client = ClientConnection::handshake(near, to, &config, Arc::default()).await;
    let client = client.unwrap();
    let authority = Authority::from_static("test");
    let agent = HeaderValue::from_static("agent");
    let none = Metadata::new();
    let permit = client.try_permit().unwrap();
    let (send, recv) = client
        .start_streaming(permit, &head(&authority, &agent, &none), LIMIT)
        .unwrap();
    let mut send = SendHalf::client(send, Box::new(RawCodec), LIMIT);
    let stream = server.await.unwrap();
    drop(stream);
    client.closed().await;
    let _ = send.send(&Bytes::from_static(b"too late")).await;
    drop((send, recv, client));
    let gone = async {
        while Arc::strong_count(&name) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(5), gone).await;
    gone.expect("something still remembers the connection");
}

#[tokio::test]
async fn as_many_streams_as_windows_fit_and_no_more() {
    let config = ServerConfig {
        max_concurrent_streams: u32::MAX,
        ..ServerConfig::default()
    };
    let world = world(config).await;
    assert_eq!(world.client.usage().limit, 8_191);
}
