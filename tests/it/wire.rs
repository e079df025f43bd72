//! The wire, frame by frame and in both roles: what may race there, and what each race must end in.
//!
//! These dialogues name no engine. Where HTTP/2 leaves an answer open, `engine` says which one the
//! engine of today gives.

mod blocks;
mod cut;
mod engine;
mod frames;
mod goaway;
mod halves;
mod resets;
mod settings;
mod windows;

use trunkline::Status;
use trunkline::transport::http2::ClientConfig;
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::support::{
    MAX_CONCURRENT_STREAMS, Over, Peer, RawServer, Wire, data, headers, note, text, trailers,
    within,
};

/// What HTTP/2 grants when nobody says otherwise.
const WINDOW: u64 = 65_535;

/// The four shapes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Once,
    Expand,
    Collect,
    Chat,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Once, Self::Expand, Self::Collect, Self::Chat];

    /// Whether responses are given to the caller one by one.
    fn streams_responses(self) -> bool {
        matches!(self, Self::Expand | Self::Chat)
    }

    fn path(self) -> &'static str {
        match self {
            Self::Once => "/tests.echo.Echo/Once",
            Self::Expand => "/tests.echo.Echo/Expand",
            Self::Collect => "/tests.echo.Echo/Collect",
            Self::Chat => "/tests.echo.Echo/Chat",
        }
    }
}

/// What a call gave its caller.
#[derive(Debug)]
struct Outcome {
    messages: Vec<String>,
    end: Result<(), Status>,
}

impl Outcome {
    fn single(result: Result<impl std::ops::Deref<Target = Note>, Status>) -> Self {
        let (messages, end) = match result {
            Ok(reply) => (vec![reply.text.clone()], Ok(())),
            Err(status) => (Vec::new(), Err(status)),
        };
        Self { messages, end }
    }

    #[track_caller]
    fn error(&self) -> &Status {
        match &self.end {
            Ok(()) => panic!("it ended well with {:?}", self.messages),
            Err(status) => status,
        }
    }
}

/// A call that says "ask". One that may send more does neither that nor end its requests.
async fn ask(echo: &EchoClient, kind: Kind) -> Outcome {
    let call = async {
        match kind {
            Kind::Once => Outcome::single(echo.once(text("ask")).await),
            Kind::Expand => match echo.expand(text("ask")).await {
                Ok(received) => read(received).await,
                Err(status) => failed(status),
            },
            Kind::Collect => match echo.collect().await {
                Ok((mut sender, summary)) => {
                    let _ = sender.send(&text("ask")).await;
                    Outcome::single(summary.await)
                }
                Err(status) => failed(status),
            },
            Kind::Chat => match echo.chat().await {
                Ok((mut sender, received)) => {
                    let _ = sender.send(&text("ask")).await;
                    read(received).await
                }
                Err(status) => failed(status),
            },
        }
    };
    within(format_args!("the end of {kind:?}"), call).await
}

fn failed(status: Status) -> Outcome {
    Outcome {
        messages: Vec::new(),
        end: Err(status),
    }
}

async fn read(mut received: trunkline::client::Receiver<Note>) -> Outcome {
    let mut messages = Vec::new();
    let end = loop {
        match received.recv().await {
            Ok(Some(note)) => messages.push(note.text),
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    Outcome { messages, end }
}

/// The request of [`ask`] has come on this stream.
async fn asked(peer: &mut Peer, stream: u32, kind: Kind) {
    let body = match kind {
        Kind::Once | Kind::Expand => peer.expect_end(stream).await.body,
        Kind::Collect | Kind::Chat => {
            peer.expect_headers(stream).await;
            peer.expect_data(stream).await
        }
    };
    assert_eq!(body, note("ask"));
}

fn head(stream: u32) -> Wire {
    headers(stream).status(200).grpc().into()
}

/// A whole answer of one message.
fn answer(stream: u32, words: &str) -> Wire {
    head(stream)
        .and(data(stream, note(words)))
        .and(trailers(stream, 0))
}

/// The number of the stream that the client opens next.
fn next_stream(peer: &Peer) -> u32 {
    1 + 2 * u32::try_from(peer.heads).unwrap()
}

/// The connection of both is fine: one more call goes over it.
async fn is_healthy(echo: &EchoClient, peer: &mut Peer) {
    let stream = next_stream(peer);
    let script = async {
        asked(peer, stream, Kind::Once).await;
        peer.send(answer(stream, "healthy")).await;
    };
    let (outcome, ()) = tokio::join!(ask(echo, Kind::Once), script);
    assert!(outcome.end.is_ok(), "{outcome:?}");
    assert_eq!(outcome.messages, ["healthy"]);
}

/// A client of ours with no window to waste, and one connection for one call at a time.
async fn narrow(over: Over, name: &str) -> (RawServer, EchoClient) {
    let mut http2 = ClientConfig::default();
    http2.stream_window_bytes = Some(65_535);
    http2.connection_window_bytes = 65_535;
    RawServer::over_with(over, name, |channel| {
        channel.http2(http2).max_connections(1)
    })
    .await
}

/// Makes [`narrow`] narrow.
const ONE_STREAM: &[(u16, u32)] = &[(MAX_CONCURRENT_STREAMS, 1)];

/// Of the connection's window everything has come back, but what an engine saves for the next
/// update.
async fn window_is_back(peer: &mut Peer, sent: u64) {
    peer.catch_up().await;
    let granted = WINDOW + peer.credit.get(&0).copied().unwrap_or_default();
    let left = granted.saturating_sub(sent);
    assert!(
        left >= WINDOW / 2,
        "{left} left of {WINDOW} after {sent} sent"
    );
}
