//! The servers of the eight cases: real HTTP/2, and wrong in one thing each.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trunkline::codegen::prost::Message;
use trunkline::transport::BoxIo;
use trunkline_test_protos::interop::{Payload, SimpleResponse};

use crate::support::{
    Event, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME, NO_ERROR, Peer, Wire, data,
    framed, goaway, headers, padded, ping_with, reset, trailers, window,
};

/// Bytes in the payload of every response.
pub(super) const RESPONSE: usize = 314_159;

/// The cases, named as the interop description names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Goaway,
    RstAfterHeader,
    RstDuringData,
    RstAfterData,
    Ping,
    MaxStreams,
    DataFramePadding,
    NoDfPaddingSanity,
}

/// What one connection of the client's came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Calls that were asked in full.
    pub(super) calls: usize,
    /// PINGs that were sent; each one was acknowledged.
    pub(super) pings: u64,
    /// DATA frames of responses.
    pub(super) frames: usize,
}

/// A server of one case, until it is dropped.
pub(super) struct NegativeServer {
    pub(super) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl NegativeServer {
    pub(super) async fn start(case: Case) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(case, listener, Arc::clone(&seen)));
        Self {
            address,
            seen,
            task,
        }
    }

    /// What its connections came to so far, those that are open included.
    #[track_caller]
    pub(super) fn seen(&self) -> Vec<Seen> {
        assert!(!self.task.is_finished(), "a check of the server failed");
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for NegativeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(case: Case, listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let stream = accepted.unwrap().0;
                stream.set_nodelay(true).unwrap();
                let at = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Seen::default());
                    seen.len() - 1
                };
                let seen = Arc::clone(&seen);
                connections.spawn(async move {
                    // A first connection learns of the limit by its first call.
                    let limit = [(MAX_CONCURRENT_STREAMS, 1)];
                    let known = case == Case::MaxStreams && at > 0;
                    let settings = if known { &limit[..] } else { &[] };
                    let peer = Peer::server(BoxIo::new(stream), settings).await;
                    let mut connection = Connection::new(case, peer);
                    while connection.turn().await {
                        seen.lock().unwrap()[at] = connection.seen.clone();
                    }
                });
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

struct Connection {
    case: Case,
    peer: Peer,
    seen: Seen,
    /// Bytes of DATA on the connection, padding included.
    spent: u64,
}

impl Connection {
    fn new(case: Case, peer: Peer) -> Self {
        Self {
            case,
            peer,
            seen: Seen::default(),
            spent: 0,
        }
    }

    /// Does what the next thing that comes asks for; false at the connection's end.
    async fn turn(&mut self) -> bool {
        match self.peer.whenever().await {
            Event::Closed => return false,
            Event::Headers(stream, head, false) => {
                assert_eq!(
                    head.get(":path"),
                    Some("/grpc.testing.TestService/UnaryCall")
                );
                self.ping().await;
                if self.case == Case::MaxStreams && stream == 1 {
                    self.peer.settle(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
                }
            }
            Event::Data(stream, bytes, false) => {
                if let Ok(credit @ 1..) = u32::try_from(bytes.len()) {
                    let both = window(0, credit).and(window(stream, credit));
                    self.peer.send(both).await;
                }
                self.ping().await;
            }
            Event::Data(stream, bytes, true) => {
                if let Ok(credit @ 1..) = u32::try_from(bytes.len()) {
                    self.peer.send(window(0, credit)).await;
                }
                self.seen.calls += 1;
                self.answer(stream).await;
            }
            Event::Headers(_, _, true) => panic!("a request without a message"),
            Event::Reset(..) | Event::GoAway(..) => {}
        }
        true
    }

    async fn answer(&mut self, stream: u32) {
        self.ping().await;
        self.peer.send(headers(stream).status(200).grpc()).await;
        let message = framed(
            SimpleResponse {
                payload: Some(Payload {
                    body: vec![0; RESPONSE],
                }),
            }
            .encode_to_vec(),
        );
        let sent = match self.case {
            Case::RstAfterHeader => &[],
            Case::RstDuringData => &message[..message.len() / 2],
            _ => &message[..],
        };
        self.send(stream, sent).await;
        if self.case == Case::MaxStreams {
            // Whoever keeps to the limit has asked for nothing more by now.
            self.peer.expect_nothing().await;
        }
        match self.case {
            Case::RstAfterHeader | Case::RstDuringData | Case::RstAfterData => {
                self.peer.send(reset(stream, NO_ERROR)).await;
            }
            _ => self.peer.send(trailers(stream, 0)).await,
        }
        if self.case == Case::Goaway {
            self.peer.send(goaway(stream, NO_ERROR, "")).await;
        }
        self.ping().await;
    }

    /// Sends a body as fast as the client's windows let it.
    async fn send(&mut self, stream: u32, body: &[u8]) {
        let (size, padding) = match self.case {
            Case::DataFramePadding => (5, Some(255)),
            Case::NoDfPaddingSanity => (5, None),
            _ => (MAX_FRAME, None),
        };
        let mut spent = 0;
        let (mut wire, mut waiting) = (Wire::default(), 0);
        for piece in body.chunks(size) {
            let cost = (piece.len() + padding.map_or(0, |bytes: u8| 1 + usize::from(bytes))) as u64;
            while self.room(stream, spent) < cost {
                self.peer.send(std::mem::take(&mut wire)).await;
                waiting = 0;
                self.peer.step_for("window").await;
            }
            wire = wire.and(match padding {
                Some(padding) => padded(stream, piece, padding),
                None => data(stream, piece),
            });
            (spent, self.spent) = (spent + cost, self.spent + cost);
            self.seen.frames += 1;
            waiting += 1;
            if waiting == 64 {
                self.peer.send(std::mem::take(&mut wire)).await;
                waiting = 0;
            }
            if self.seen.frames.is_multiple_of(1_000) {
                self.ping().await;
            }
        }
        self.peer.send(wire).await;
    }

    /// What both windows still let through after this much on the stream.
    fn room(&self, stream: u32, spent: u64) -> u64 {
        let initial = self.peer.settings.get(&INITIAL_WINDOW_SIZE).copied();
        let credit = |stream| self.peer.credit.get(&stream).copied().unwrap_or_default();
        let stream = u64::from(initial.unwrap_or(65_535)) + credit(stream) - spent;
        stream.min(65_535 + credit(0) - self.spent)
    }

    /// In one of the cases, at every moment there is.
    async fn ping(&mut self) {
        if self.case == Case::Ping {
            self.seen.pings += 1;
            let payload = self.seen.pings.to_be_bytes();
            self.peer.send(ping_with(payload)).await;
            self.peer.expect_pong(payload).await;
        }
    }
}
