//! The last words, and peers that take their time to read them.

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
fn question() -> BytesMut {
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
