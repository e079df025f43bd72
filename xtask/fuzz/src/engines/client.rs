//! A client's engine, and calls over it.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::Authority;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use trunkline::transport::http2::{
    ClientConfig, ClientConnection, Defence, Engine, RequestHead, ResponseStream,
};
use trunkline::transport::stream::{RecvHalf, SendHalf};
use trunkline::transport::{Address, BoxIo, Peer, memory};
use trunkline_core::{Metadata, Status};

use super::program::Step;
use super::seen::{Event, Log, sorted};
use super::server::{Raw, word};
use super::talk::talk;
use crate::http2::native::spoken::Spoken;

const LIMIT: usize = 1 << 20;

/// Something that is done with a call before a step of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) before: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A call whose request is one message of so many bytes.
    Single(usize),
    /// A call that sends so many messages of so many bytes, and then ends its half, or does not.
    Streaming {
        messages: usize,
        bytes: usize,
        finish: bool,
    },
    /// The nth call is dropped.
    Drop(usize),
    /// Nothing more is opened.
    Close,
}

/// What is seen of this engine when a server says this to these calls.
pub(super) async fn observe(engine: Engine, deeds: &[Deed], steps: &[Step]) -> Vec<Vec<Event>> {
    let mut config = ClientConfig::default();
    config.engine = engine;
    // As on the server's side.
    config.stream_window_bytes = Some(65_535);
    config.defence = Defence::unlimited();
    config.small_data_budget_bytes = usize::MAX >> 1;
    let (ours, theirs) = memory::pipe();
    let log = Log::default();
    let connecting = tokio::spawn(connect(theirs, config, log.clone()));
    let mut calls = Calls {
        connecting: Some(connecting),
        connection: None,
        tasks: Vec::new(),
        log: log.clone(),
    };
    let spoken = Spoken::of_client(log.clone());
    let seen = talk(ours, steps, &log, spoken, async |at| {
        let before = steps.get(at).and_then(|step| step.deeds);
        for deed in deeds.iter().filter(|deed| Some(deed.before) == before) {
            calls.act(deed.what).await;
        }
    })
    .await;
    calls.end();
    seen
}

async fn connect(io: BoxIo, config: ClientConfig, log: Log) -> Option<ClientConnection> {
    let peer = Peer::new(Address::Memory("fuzz".into()));
    let freed = Arc::new(Notify::new());
    match ClientConnection::handshake(io, peer, &config, freed).await {
        Ok(connection) => {
            let watched = connection.clone();
            tokio::spawn(async move {
                let status = watched.closed().await;
                log.push(Event::Lost(word(&status)));
            });
            Some(connection)
        }
        Err(status) => {
            log.push(Event::Lost(word(&status)));
            None
        }
    }
}

struct Calls {
    connecting: Option<tokio::task::JoinHandle<Option<ClientConnection>>>,
    connection: Option<ClientConnection>,
    tasks: Vec<Option<AbortHandle>>,
    log: Log,
}

impl Calls {
    async fn act(&mut self, what: What) {
        if self
            .connecting
            .as_ref()
            .is_some_and(|task| task.is_finished())
            && let Some(task) = self.connecting.take()
        {
            self.connection = task.await.expect("the handshake does not panic");
        }
        match what {
            What::Single(bytes) => self.single(bytes),
            What::Streaming {
                messages,
                bytes,
                finish,
            } => self.streaming(messages, bytes, finish),
            What::Drop(nth) => {
                let known = self.tasks.len().max(1);
                if let Some(task) = self.tasks.get_mut(nth % known).and_then(Option::take) {
                    task.abort();
                }
            }
            What::Close => {
                if let Some(connection) = &self.connection {
                    connection.close();
                }
            }
        }
    }

    /// Calls have the numbers that their streams get if they get one.
    fn next(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX) * 2 + 1
    }

    fn single(&mut self, bytes: usize) {
        let nth = self.next();
        let started = self.start(|connection, head| {
            let permit = connection.try_permit()?;
            let started = connection.start_single(permit, head, frame(bytes), LIMIT);
            Some(started.map(|responses| (None, responses)))
        });
        self.follow(nth, started, 0, 0, true);
    }

    fn streaming(&mut self, messages: usize, bytes: usize, finish: bool) {
        let nth = self.next();
        let started = self.start(|connection, head| {
            let permit = connection.try_permit()?;
            let started = connection.start_streaming(permit, head, LIMIT);
            Some(started.map(|(requests, responses)| {
                let requests = SendHalf::client(requests, Box::new(Raw), LIMIT);
                (Some(requests), responses)
            }))
        });
        self.follow(nth, started, messages, bytes, finish);
    }

    fn start(
        &self,
        begin: impl FnOnce(&ClientConnection, &RequestHead<'_>) -> Option<Result<Started, Status>>,
    ) -> Result<Started, String> {
        let Some(connection) = &self.connection else {
            return Err("no stream".to_owned());
        };
        let (user_agent, metadata) = (HeaderValue::from_static("fuzz"), Metadata::new());
        let head = RequestHead {
            path: "/tests.echo.Echo/Chat",
            authority: &Authority::from_static("fuzz"),
            subtype: "proto",
            encoding: None,
            accept_encoding: None,
            timeout: None,
            user_agent: &user_agent,
            metadata: &metadata,
        };
        match begin(connection, &head) {
            Some(Ok(started)) => Ok(started),
            // Whether it is known already that there can be none is a matter of luck.
            Some(Err(_)) | None => Err("no stream".to_owned()),
        }
    }

    fn follow(
        &mut self,
        nth: u32,
        started: Result<Started, String>,
        messages: usize,
        bytes: usize,
        finish: bool,
    ) {
        let log = self.log.clone();
        let task = match started {
            Ok((requests, responses)) => {
                let call = call(nth, requests, responses, (messages, bytes, finish), log);
                Some(tokio::spawn(call).abort_handle())
            }
            Err(why) => {
                log.push(Event::Gone(nth, why));
                None
            }
        };
        self.tasks.push(task);
    }

    fn end(self) {
        if let Some(connecting) = self.connecting {
            connecting.abort();
        }
        for task in self.tasks.into_iter().flatten() {
            task.abort();
        }
    }
}

type Started = (Option<SendHalf<Bytes>>, ResponseStream);

fn frame(bytes: usize) -> Bytes {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(bytes).unwrap_or_default().to_be_bytes());
    frame.resize(5 + bytes, 7);
    frame.into()
}

async fn call(
    nth: u32,
    requests: Option<SendHalf<Bytes>>,
    responses: ResponseStream,
    (messages, bytes, finish): (usize, usize, bool),
    log: Log,
) {
    let mut responses = RecvHalf::client(responses, Box::new(Raw));
    // Kept until the answer is over: dropped before, it would cancel the call.
    let mut kept = requests;
    let sends = async {
        let Some(requests) = &mut kept else { return };
        let message = Bytes::from(vec![7; bytes]);
        for _ in 0..messages {
            if requests.send(&message).await.is_err() {
                // Why, the other half says; when, depends on how much is taken ahead.
                return;
            }
        }
        if finish {
            requests.half_close();
        } else {
            poll_fn(|cx| requests.poll_closed(cx)).await;
        }
    };
    let receives = async {
        if let Err(status) = poll_fn(|cx| responses.poll_head(cx)).await {
            return log.push(Event::Ended(nth, verdict(&status)));
        }
        let headers = responses.take_headers();
        log.push(Event::Answered(nth, sorted(headers.into_wire())));
        loop {
            match responses.recv().await {
                Ok(Some(message)) => log.push(Event::Received(nth, message.to_vec())),
                Ok(None) => {
                    log.push(Event::Ended(nth, "in order".to_owned()));
                    break;
                }
                Err(status) => {
                    log.push(Event::Ended(nth, verdict(&status)));
                    break;
                }
            }
        }
        let trailers = responses.take_trailers();
        log.push(Event::Answered(nth, sorted(trailers.into_wire())));
    };
    tokio::join!(sends, receives);
}

/// The code, and whether the call may be made again.
fn verdict(status: &Status) -> String {
    let unprocessed = if status.is_unprocessed() {
        ", surely unprocessed"
    } else {
        ""
    };
    format!("{}{unprocessed}", word(status))
}
