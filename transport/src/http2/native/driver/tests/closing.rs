//! The last words, and peers that take their time to read them.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::*;
use crate::BoxIo;
use crate::credentials::TransportCredentials as _;
use crate::credentials::tls::{ClientTls, Identity, Roots, ServerTls};

const SECOND: Duration = Duration::from_secs(1);

/// A server that answers each request with a message of this length.
fn serve(io: BoxIo, length: usize) -> JoinHandle<Result<(), Status>> {
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    tokio::spawn(async move {
        let mut connection = ServerConnection::handshake(io, peer(), &config).await?;
        while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
            let (body, responder) = stream?.into_parts();
            drop(body);
            let answer = frame(&message(length));
            responder.reply(&form(), &Metadata::new(), answer, &Metadata::new());
        }
        Ok(())
    })
}

/// A client's beginning, with all the window there is, and one call.
pub(super) fn question() -> BytesMut {
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[(4, (1 << 31) - 1)], &mut hello);
    write::settings_ack(&mut hello);
    write::window_update(StreamId::ZERO, 1 << 30, &mut hello);
    write::headers(StreamId(1), &[0x83, 0x86, 0x84], true, 16_384, &mut hello);
    hello
}

/// Reads so many bytes each half second, up to the end.
async fn read_slowly(io: &mut BoxIo, bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut some = vec![0; bytes];
    loop {
        sleep(SECOND / 2).await;
        match io.read(&mut some).await {
            Ok(read @ 1..) => all.extend_from_slice(&some[..read]),
            _ => return all,
        }
    }
}

/// The kinds of the frames, as far as they are whole.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        let length = 9 + usize::try_from(length).unwrap();
        bytes = bytes.get(length..).unwrap_or_default();
    }
    kinds
}

/// What lies before the last words is more than it reads within a second.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_told_why_it_is_hung_up_on() {
    let (mut near, far) = memory::pipe();
    let serving = serve(far, 400_000);
    near.write_all(&question()).await.unwrap();
    sleep(SECOND / 10).await;
    // DATA on no stream.
    near.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let heard = read_slowly(&mut near, 40_000).await;
    assert_eq!(kinds(&heard).last(), Some(&7), "GOAWAY");
    let why = serving.await.unwrap().unwrap_err();
    assert!(why.message().contains("PROTOCOL_ERROR"), "{why}");
}

/// Neither silence nor crumbs keep a connection that is over.
#[tokio::test(start_paused = true)]
async fn a_peer_that_hardly_reads_the_last_words_is_let_go_of() {
    for (crumbs, bound) in [(0, 2 * SECOND), (10, 12 * SECOND)] {
        let (mut near, far) = memory::pipe();
        let serving = serve(far, 400_000);
        near.write_all(&question()).await.unwrap();
        sleep(SECOND / 10).await;
        let began = Instant::now();
        near.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let reading = tokio::spawn(async move {
            if crumbs > 0 {
                read_slowly(&mut near, crumbs).await;
            }
            std::future::pending::<()>().await;
        });
        serving.await.unwrap().unwrap_err();
        let took = began.elapsed();
        assert!(took > SECOND / 2 && took < bound, "{took:?}");
        reading.abort();
    }
}

/// Both ends of a connection under TLS.
async fn secured() -> (BoxIo, BoxIo) {
    let made = rcgen::generate_simple_self_signed(["test".to_owned()]).unwrap();
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = ServerTls::new(Identity::from_pem(&pem, key).unwrap()).unwrap();
    let roots = Roots::from_pem(pem).unwrap();
    let client = ClientTls::builder().roots(roots).build().unwrap();
    let (near, far) = memory::pipe();
    let both = tokio::join!(
        client.client_handshake(near, "test"),
        server.server_handshake(far)
    );
    (both.0.unwrap().io, both.1.unwrap().io)
}

/// All of the answer is TLS's by then: as much as the socket did not take, and TLS holds.
#[tokio::test(start_paused = true)]
async fn what_tls_holds_back_counts_as_not_taken() {
    let (mut near, far) = secured().await;
    let serving = serve(far, 100_000);
    near.write_all(&question()).await.unwrap();
    near.flush().await.unwrap();
    sleep(29 * SECOND).await;
    assert!(!serving.is_finished());
    sleep(3 * SECOND).await;
    assert!(serving.is_finished(), "30 s are enough");
    let why = serving.await.unwrap().unwrap_err();
    assert!(why.message().contains("write_timeout"), "{why}");
}

/// It is TLS that has taken nothing new for a long time, and the socket that takes a little.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_behind_tls_is_waited_for() {
    let (mut near, far) = secured().await;
    let serving = serve(far, 100_000);
    near.write_all(&question()).await.unwrap();
    near.flush().await.unwrap();
    // One record at a time.
    let mut some = vec![0; 20_000];
    let mut read = 0;
    while read < 100_000 {
        sleep(20 * SECOND).await;
        read += near.read(&mut some).await.unwrap();
        assert!(!serving.is_finished(), "after {read}");
    }
    drop(near);
    let _ = serving.await.unwrap();
}

/// What it has not been sent yet has to stay unsent, so that it may go elsewhere.
#[tokio::test(start_paused = true)]
async fn nothing_is_opened_for_a_goodbye_that_is_an_error() {
    for reason in [Reason::ENHANCE_YOUR_CALM, Reason::INTERNAL_ERROR] {
        let (near, mut far) = memory::pipe();
        let config = ClientConfig {
            engine: Engine::Native,
            ..ClientConfig::default()
        };
        let mut hello = BytesMut::new();
        write::settings(&[], &mut hello);
        far.write_all(&hello).await.unwrap();
        let client = ClientConnection::handshake(near, peer(), &config, Arc::default());
        let client = client.await.unwrap();
        let mut goodbye = BytesMut::new();
        write::go_away(StreamId::MAX, reason, b"no more", &mut goodbye);
        far.write_all(&goodbye).await.unwrap();
        let permit = client.try_permit().unwrap();
        let question = frame(&message(8));
        let call = with_head(|head| client.start_single(permit, head, question, LIMIT)).unwrap();
        let mut call = RecvHalf::<Bytes>::client(call, Box::new(RawCodec));
        let end = tokio::spawn(async move { call.recv().await.unwrap_err() });
        sleep(SECOND).await;
        drop(far);
        let why = end.await.unwrap();
        assert!(why.is_unprocessed(), "{reason:?}: {why}");
    }
}

/// Over TCP: an octet that comes to a closed socket resets it, with all that was not read yet.
#[tokio::test]
async fn a_server_that_leaves_stays_for_what_its_client_still_writes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    let (mut near, (far, _)) = (near.await.unwrap(), listener.accept().await.unwrap());
    let server = tokio::spawn(async move {
        let config = ServerConfig {
            engine: Engine::Native,
            ..ServerConfig::default()
        };
        let mut connection = ServerConnection::handshake(BoxIo::new(far), peer(), &config)
            .await
            .unwrap();
        let stream = poll_fn(|cx| connection.poll_next(cx)).await.unwrap();
        let (body, responder) = stream.unwrap().into_parts();
        drop(body);
        connection.abrupt_shutdown();
        let answer = frame(&message(20_000));
        responder.reply(&form(), &Metadata::new(), answer, &Metadata::new());
        while poll_fn(|cx| connection.poll_next(cx)).await.is_some() {}
    });
    near.write_all(&question()).await.unwrap();
    // All of the answer lies in the socket by then.
    for _ in 0..10 {
        sleep(SECOND / 50).await;
        let mut update = BytesMut::new();
        write::window_update(StreamId::ZERO, 1, &mut update);
        near.write_all(&update).await.unwrap();
    }
    let mut heard = Vec::new();
    near.read_to_end(&mut heard).await.unwrap();
    assert!(kinds(&heard).contains(&7), "GOAWAY: {:?}", kinds(&heard));
    drop(near);
    server.await.unwrap();
}

/// A socket that its peer has closed with a reset, in the end; what came before is there to be read.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    came: BytesMut,
    is_reset: bool,
    reader: Option<Waker>,
}

impl Socket {
    fn bring(&self, bytes: &[u8], is_reset: bool) {
        let mut inside = self.0.lock().unwrap();
        inside.came.extend_from_slice(bytes);
        inside.is_reset = is_reset;
        if let Some(reader) = inside.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inside = self.0.lock().unwrap();
        let length = inside.came.len().min(into.remaining());
        if length == 0 && !inside.is_reset {
            inside.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if length == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        into.put_slice(&inside.came.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.lock().unwrap().is_reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An answer that is longer than what is read before anything is written for it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_here_outlives_a_connection_that_takes_nothing_more() {
    const LENGTH: usize = 1 << 20;
    const FRAME: usize = 16_384;
    let socket = Socket::default();
    let mut bytes = BytesMut::new();
    write::settings(&[], &mut bytes);
    write::settings_ack(&mut bytes);
    socket.bring(&bytes, false);
    let config = ClientConfig {
        engine: Engine::Native,
        stream_window_bytes: Some(2 << 20),
        ..ClientConfig::default()
    };
    let io = BoxIo::new(socket.clone());
    let client = ClientConnection::handshake(io, peer(), &config, Arc::default());
    let client = client.await.unwrap();
    let call = |client: &ClientConnection| {
        let permit = client.try_permit().unwrap();
        let question = frame(&message(8));
        let call = with_head(|head| client.start_single(permit, head, question, LIMIT)).unwrap();
        RecvHalf::<Bytes>::client(call, Box::new(RawCodec))
    };
    let (mut answered, mut unanswered) = (call(&client), call(&client));
    sleep(SECOND / 10).await;

    bytes.clear();
    // It is owed something before the rest is read.
    write::ping(false, [1; 8], &mut bytes);
    let head = [&[0x88, 0x0f, 0x10, 16][..], b"application/grpc"].concat();
    write::headers(StreamId(1), &head, false, 16_384, &mut bytes);
    for data in frame(&message(LENGTH)).chunks(FRAME) {
        write::data_head(StreamId(1), data.len(), false, &mut bytes);
        bytes.extend_from_slice(data);
    }
    let trailers = [&[0x00, 11][..], b"grpc-status", &[1], b"0"].concat();
    write::headers(StreamId(1), &trailers, true, 16_384, &mut bytes);
    socket.bring(&bytes, true);

    assert_eq!(answered.recv().await.unwrap().unwrap().len(), LENGTH);
    assert_eq!(answered.recv().await.unwrap(), None);
    let why = unanswered.recv().await.unwrap_err();
    assert_eq!(why.code(), Code::Unavailable, "{why}");
    assert!(!why.is_unprocessed(), "{why}");
}
