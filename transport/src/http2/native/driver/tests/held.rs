//! What a server's connections hold together: honest peers wait where memory is short, and only who
//! takes nothing is cut.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::sleep;

use super::*;
use crate::BoxIo;

const MIB: u64 = 1024 * 1024;

/// A server that answers each request with so many messages of so many bytes, as far as its peers
/// take them.
struct Server {
    config: ServerConfig,
    messages: usize,
    length: usize,
    /// The most that was ever held.
    most: Arc<AtomicU64>,
}

impl Server {
    fn new(max_held_bytes: u64, messages: usize, length: usize) -> Self {
        let config = ServerConfig {
            engine: Engine::Native,
            max_held_bytes,
            ..ServerConfig::default()
        };
        Self {
            config,
            messages,
            length,
            most: Arc::default(),
        }
    }

    fn serve(&self, io: BoxIo) -> JoinHandle<Result<(), Status>> {
        let (config, messages, length) = (self.config.clone(), self.messages, self.length);
        let most = Arc::clone(&self.most);
        tokio::spawn(async move {
            let mut connection = ServerConnection::handshake(io, peer(), &config).await?;
            while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
                let (body, responder) = stream?.into_parts();
                let shared = responder.share(body, form());
                let (config, most) = (config.clone(), Arc::clone(&most));
                tokio::spawn(async move {
                    let codec = Box::new(RawCodec);
                    let mut send = SendHalf::server(shared.clone(), codec, LIMIT);
                    let message = message(length);
                    for _ in 0..messages {
                        if send.send(&message).await.is_err() {
                            return;
                        }
                        most.fetch_max(config.held.leased(), Ordering::Relaxed);
                    }
                    shared.finish(Ok(&Metadata::new()));
                });
            }
            Ok(())
        })
    }

    /// A client that has asked, and has not begun to read.
    async fn download(
        &self,
    ) -> (
        ClientConnection,
        RecvHalf<Bytes>,
        JoinHandle<Result<(), Status>>,
    ) {
        let (near, far) = memory::pipe();
        let server = self.serve(far);
        let config = ClientConfig {
            engine: Engine::Native,
            ..ClientConfig::default()
        };
        let client = ClientConnection::handshake(near, peer(), &config, Arc::default());
        let client = client.await.unwrap();
        let permit = client.try_permit().unwrap();
        let question = frame(&message(10));
        let recv = with_head(|head| client.start_single(permit, head, question, LIMIT));
        let recv = RecvHalf::client(recv.unwrap(), Box::new(RawCodec));
        (client, recv, server)
    }

    /// A client that has asked, with all the window there is, and does not read.
    async fn ask(&self) -> (BoxIo, JoinHandle<Result<(), Status>>) {
        let (mut near, far) = memory::pipe();
        let server = self.serve(far);
        let mut hello = BytesMut::from(&PREFACE[..]);
        write::settings(&[(4, (1 << 31) - 1)], &mut hello);
        write::settings_ack(&mut hello);
        write::window_update(StreamId::ZERO, 1 << 30, &mut hello);
        let block = [0x83, 0x86, 0x84];
        write::headers(StreamId(1), &block, true, 16_384, &mut hello);
        near.write_all(&hello).await.unwrap();
        (near, server)
    }

    fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

/// Reads as fast as it can, up to the end of stream 1: the bytes of DATA, and the end's frame.
async fn read(io: &mut BoxIo) -> (usize, (u8, u8)) {
    let mut bytes = 0;
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, flags, .., stream] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        io.read_exact(&mut payload).await.unwrap();
        match (kind, stream) {
            (0, 1) => bytes += payload.len(),
            (1, 1) if flags & 1 == 0 => {}
            (1 | 3, 1) | (7, _) => return (bytes, (kind, flags)),
            _ => {}
        }
    }
}

/// Without a thought for the others they would hold more than four times as much as they may together.
#[tokio::test(start_paused = true)]
async fn many_who_read_as_fast_as_they_can_lose_nothing() {
    let server = Server::new(4 * MIB, 100, 6_000);
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(server.ask().await);
    }
    // Each is as far ahead of its reader as it will ever be.
    sleep(Duration::from_millis(1)).await;
    let mut reading = Vec::new();
    for (mut io, server) in clients {
        reading.push(tokio::spawn(async move {
            let read = read(&mut io).await;
            drop(io);
            let _ = server.await.unwrap();
            read
        }));
    }
    // Its trailers.
    let all = (100 * 6_005, (1, 5));
    for each in reading {
        assert_eq!(each.await.unwrap(), all);
    }
    let most = server.most();
    assert!(most > 2 * MIB && most <= 4 * MIB, "{most}");
    assert_eq!(server.config.held.leased(), 0);
}

/// However many they are, they hold no more than all may; they are the ones who are cut, and whoever
/// reads is served as if they were not there.
#[tokio::test(start_paused = true)]
async fn many_who_read_nothing_are_cut_and_the_honest_one_is_served() {
    // One message alone is more than any share: no sender waits before it.
    let server = Server::new(4 * MIB, 20, 100_000);
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(server.ask().await);
    }
    sleep(Duration::from_secs(6)).await;
    assert!(server.most() <= 5 * MIB, "{}", server.most());
    for _ in 0..3 {
        let (client, mut recv, serving) = server.download().await;
        for _ in 0..20 {
            assert_eq!(recv.recv().await.unwrap(), Some(message(100_000)));
        }
        assert_eq!(recv.recv().await.unwrap(), None);
        client.close();
        serving.await.unwrap().unwrap();
    }
    assert!(server.most() <= 5 * MIB, "{}", server.most());
    let gone = silent.iter().filter(|(_, server)| server.is_finished());
    let gone = gone.count();
    assert!(gone > 0, "nobody was cut");
    // The others have their time to take something.
    sleep(Duration::from_secs(30)).await;
    for (_io, serving) in silent {
        let why = serving.await.unwrap().unwrap_err();
        let told = ["max_held_bytes", "write_timeout"];
        assert!(
            told.iter().any(|text| why.message().contains(text)),
            "{why}"
        );
    }
    assert_eq!(server.config.held.leased(), 0);
}

/// One that stands still breaks a rule, and takes its last words crumb by crumb, if at all, while many
/// others ask: what all hold then.
async fn leased_beside_one_that_ends(takes_crumbs: bool) -> u64 {
    let server = Server::new(MIB, 20, 100_000);
    let (mut hostile, _serving) = server.ask().await;
    sleep(Duration::from_millis(1)).await;
    // DATA on no stream: the connection is over.
    hostile.write_all(&[0; 9]).await.unwrap();
    let reading = tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(500)).await;
            if takes_crumbs && hostile.read_u8().await.is_err() {
                return;
            }
        }
    });
    // Now it has stalled, and is the first to let go.
    sleep(Duration::from_millis(5_200)).await;
    let mut silent = Vec::new();
    for _ in 0..256 {
        silent.push(server.ask().await);
    }
    sleep(Duration::from_millis(10)).await;
    reading.abort();
    server.config.held.leased()
}

/// Whoever was told to let go answers, even while its last words are on their way.
#[tokio::test(start_paused = true)]
async fn one_that_ends_keeps_nobody_from_being_cut() {
    for takes_crumbs in [false, true] {
        let leased = leased_beside_one_that_ends(takes_crumbs).await;
        assert!(leased <= 2 * MIB, "{leased}, takes crumbs: {takes_crumbs}");
    }
}

/// One that is told in the very turn in which it finds that its peer broke a rule.
#[tokio::test(start_paused = true)]
async fn one_that_is_told_as_it_ends_answers_at_once() {
    let server = Server::new(MIB, 20, 100_000);
    let (mut hostile, serving) = server.ask().await;
    // Now it has stalled, and is the first to let go.
    sleep(Duration::from_millis(5_200)).await;
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let tell = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let mut other = server.config.holder(now(), tell);
    hostile.write_all(&[0; 9]).await.unwrap();
    other.hold(2 * MIB, 0, now());
    assert_eq!(told.load(Ordering::Relaxed), 0);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(serving.is_finished(), "it waits for its peer");
    let why = serving.await.unwrap().unwrap_err();
    assert!(why.message().contains("DATA"), "{why}");
    assert_eq!(told.load(Ordering::Relaxed), 1, "then the next one is told");
}
