//! Flow control: a reader that does not read stops its own sender and nobody else; how far ahead a
//! sender gets, and what `feed` and `flush` are for.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trunkline::server::{Receiver, Sender};
use trunkline::transport::http2::ClientConfig;
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::multiplex::{Text, Words, WordsClient, WordsServer};
use trunkline_examples::say;

/// Messages of this size are easy to count in windows.
const SIZE: usize = 8 * 1024;

/// Bytes that a stream of our client may have unread.
const WINDOW: u32 = 128 * 1024;

/// How long the client looks away.
const PAUSE: Duration = Duration::from_millis(300);

/// Sends as much as it is asked for, and counts.
#[derive(Clone, Default)]
struct Flood(Arc<AtomicU64>);

impl Words for Flood {
    async fn reverse(&self, _: &RequestContext, request: Text) -> Result<Response<Text>, Status> {
        Ok(request.into())
    }

    async fn split(
        &self,
        _: &RequestContext,
        request: Text,
        mut responses: Sender<Text>,
    ) -> Result<(), Status> {
        let count: u64 = request.text.parse().unwrap_or(0);
        let message = text("x".repeat(SIZE));
        for _ in 0..count {
            // Waits while the client has no room: that is the whole of flow control for a handler.
            responses.send(&message).await?;
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn join(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Text>,
    ) -> Result<Response<Text>, Status> {
        let mut count = 0_u32;
        while requests.recv().await?.is_some() {
            count += 1;
        }
        Ok(text(count.to_string()).into())
    }

    async fn shout(
        &self,
        _: &RequestContext,
        _: Receiver<Text>,
        _: Sender<Text>,
    ) -> Result<(), Status> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flood = Flood::default();
    let sent = Arc::clone(&flood.0);
    let server = Server::insecure()
        .add_service(WordsServer::new(flood))
        .bind("127.0.0.1:0")
        .await?;
    // The default window of a stream is 256 KiB. What all streams of a connection may have unread
    // is always so much that those that nobody reads leave room for the others.
    let mut http2 = ClientConfig::default();
    http2.stream_window_bytes = Some(WINDOW);
    let channel = Channel::builder(server.local_address().to_string())
        .insecure()
        .http2(http2)
        .build()?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let words = WordsClient::new(channel.clone());

    say!("\na stream of 100 messages of {SIZE} bytes, which nobody reads yet");
    let mut slow = words.split(text("100")).await?;
    tokio::time::sleep(PAUSE).await;
    let stalled = sent.load(Ordering::Relaxed);
    say!(
        "server  sent {stalled} and waits: the window has {} bytes",
        WINDOW
    );
    say!("server  stopped before the end: {}", stalled < 100);

    say!("\nits siblings on the same connection do not notice");
    let began = Instant::now();
    for _ in 0..200 {
        words.reverse(text("quick")).await?;
    }
    let quick = began.elapsed() < 200 * Duration::from_millis(50);
    say!("client  200 unary calls meanwhile, each in less than 50 ms: {quick}");
    let mut whole = 0;
    let mut other = words.split(text("50")).await?;
    while other.recv().await?.is_some() {
        whole += 1;
    }
    say!("client  read another stream of {whole} messages to its end");
    say!(
        "client  connections in use: {}",
        channel.stats().connections
    );

    say!("\nreading makes room, and the sender goes on");
    let mut read = 0;
    while slow.recv().await?.is_some() {
        read += 1;
    }
    say!("client  read {read}");

    say!("\n`send` waits for room; `feed` does not, and `flush` waits for all that was fed");
    let (mut sender, count) = words.join().await?;
    for _ in 0..1_000 {
        // Fed messages leave together, as few large frames: for many small ones at once.
        sender.feed(&text("drop"))?;
    }
    sender.flush().await?;
    sender.finish();
    say!("server  counted {}", count.await?.text);

    let (mut sender, count) = words.join().await?;
    let mut fed = 0;
    let refused = loop {
        match sender.feed(&text("x".repeat(SIZE))) {
            Ok(()) => fed += 1,
            Err(status) => break status,
        }
    };
    say!(
        "client  feeding without a flush ends, after {} or more: {refused}",
        fed / 100 * 100
    );
    drop((sender, count));

    drop((slow, other, words));
    channel.close(Duration::from_secs(1)).await;
    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    Ok(())
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}
