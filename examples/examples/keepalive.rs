//! The life of a connection: how a dead one is noticed, when an unused one is closed, how a server
//! makes its clients come anew, and how a channel is closed.
//!
//! It runs on tokio's paused clock, so that its minutes take no time.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use trunkline::client::{ConnectivityState, Keepalive};
use trunkline::server::{Receiver, Sender, ServerHandle, ServerKeepalive};
use trunkline::transport::memory;
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::multiplex::{Text, Words, WordsClient, WordsServer};
use trunkline_examples::{Path, say};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

struct Calling;

impl Words for Calling {
    async fn reverse(&self, _: &RequestContext, request: Text) -> Result<Response<Text>, Status> {
        Ok(text(request.text.chars().rev().collect::<String>()).into())
    }

    async fn split(&self, _: &RequestContext, _: Text, _: Sender<Text>) -> Result<(), Status> {
        Ok(())
    }

    async fn join(&self, _: &RequestContext, _: Receiver<Text>) -> Result<Response<Text>, Status> {
        Ok(Text::default().into())
    }

    async fn shout(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<Text>,
        mut responses: Sender<Text>,
    ) -> Result<(), Status> {
        let _gone = Gone(cx.method().path, Instant::now());
        while let Some(each) = requests.recv().await? {
            responses.send(&text(each.text.to_uppercase())).await?;
        }
        Ok(())
    }
}

/// Says when a handler is gone, whatever ended it.
struct Gone(&'static str, Instant);

impl Drop for Gone {
    fn drop(&mut self) {
        say!(
            "server  the handler of {} is gone, {} s after it began",
            self.0,
            self.1.elapsed().as_secs()
        );
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let (connector, listener) = memory::pair("far-away");
    let path = Path::new(connector);

    // A server asks silent clients after two hours, unless it is told otherwise.
    let mut of_server = ServerKeepalive::every(MINUTE);
    of_server.timeout = 10 * SECOND;
    // It closes connections whose clients ask more often than this, with our own engine.
    of_server.permit_time = MINUTE / 2;
    let server = Server::insecure()
        .keepalive(of_server)
        .max_connection_age(100 * MINUTE)
        .add_service(WordsServer::new(Calling))
        .listen(listener)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    // A client asks nobody, unless it is told to. Ask your server's operator how often you may.
    let mut of_client = Keepalive::every(MINUTE);
    of_client.timeout = 10 * SECOND;
    let channel = Channel::builder("memory:far-away")
        .insecure()
        .connector(path.clone())
        .keepalive(of_client)
        .idle_timeout(30 * MINUTE)
        .build()?;
    let watching = tokio::spawn(watch(channel.clone()));
    let words = WordsClient::new(channel.clone());

    say!("\na stream that is silent for long, on a connection that lives");
    let (mut sender, mut heard) = words.shout().await?;
    sleep(5 * MINUTE).await;
    sender.send(&text("still there?")).await?;
    say!(
        "client  heard {:?}",
        heard.recv().await?.unwrap_or_default().text
    );

    say!("\nthe cable is pulled");
    path.cut();
    let cut = Instant::now();
    if let Err(status) = heard.recv().await {
        say!("client  after {} s: {status}", cut.elapsed().as_secs());
    }
    drop((sender, heard));
    sleep(SECOND).await;
    let stats = handle.stats();
    say!(
        "server  {} RPCs, {} of them cancelled",
        stats.rpcs_started,
        stats.rpcs_cancelled
    );

    say!("\nthe next call has a connection of its own");
    reverse(&words, "olleh").await?;

    say!("\n600 calls in ten hours, on connections that the server lets live for 100 minutes");
    let before = handle.stats().connections_accepted;
    for _ in 0..600 {
        words.reverse(text("x")).await?;
        sleep(MINUTE).await;
    }
    let rotated = handle.stats().connections_accepted - before;
    say!(
        "client  600 calls, none failed, on 5 more connections or 6: {}",
        rotated >= 5
    );

    say!("\nhalf an hour without a call");
    timeout(40 * MINUTE, idle(&channel)).await?;
    say!(
        "client  {} with {} connections",
        channel.state(),
        channel.stats().connections
    );
    channel.connect()?;
    reverse(&words, "kcab").await?;

    say!("\nthe end");
    end(&channel, &words, &handle).await?;
    serving.await??;
    watching.await?;
    Ok(())
}

/// Prints each state that the channel comes to, up to its last.
async fn watch(channel: Channel) {
    let mut state = channel.state();
    while state != ConnectivityState::Shutdown {
        state = channel.changed(state).await;
        say!("channel {state}");
    }
}

async fn idle(channel: &Channel) {
    let mut state = channel.state();
    while state != ConnectivityState::Idle {
        state = channel.changed(state).await;
    }
}

async fn reverse(words: &WordsClient, word: &str) -> Result<(), Status> {
    let reply = words.reverse(text(word)).await?;
    say!("client  {word} is {}", reply.text);
    Ok(())
}

/// Closes the channel while a stream is open, and then stops the server.
async fn end(channel: &Channel, words: &WordsClient, handle: &ServerHandle) -> Result<(), Status> {
    let (mut sender, mut heard) = words.shout().await?;
    sender.send(&text("bye")).await?;
    say!(
        "client  heard {:?}",
        heard.recv().await?.unwrap_or_default().text
    );
    let report = channel.close(2 * SECOND).await;
    say!(
        "client  closed in {} s: {} calls completed, {} cancelled",
        report.elapsed.as_secs(),
        report.completed,
        report.cancelled
    );
    if let Err(status) = heard.recv().await {
        say!("client  {status}");
    }
    if let Err(status) = words.reverse(text("late")).await {
        say!("client  {status}");
    }
    let report = handle.graceful_stop(SECOND).await;
    say!("server  stopped, {} calls cut short", report.cut_short());
    Ok(())
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}
