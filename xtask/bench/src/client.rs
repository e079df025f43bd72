//! The frame of every measured client: callers in a closed loop on some connections.

use crate::arguments::{ClientArguments, runtime};
use crate::grpc::Failure;
use crate::meter::{Budget, Counters, Meter};
use crate::shape::Shape;
use bytes::Bytes;
use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Messages of a stream that nobody reads.
const UNREAD_MESSAGES: u64 = 1_000;
const UNREAD_BYTES: usize = 64 * 1024;

/// A call that is kept open.
pub type Held = Box<dyn Any + Send>;

/// What a client library brings; each concurrent caller gets a clone.
pub trait Client: Clone + Send + 'static {
    /// One connection to the server.
    fn connect(arguments: &ClientArguments) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// One call with this payload and a deadline; gives the payload of the answer.
    fn unary(&mut self, payload: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;

    /// The same, where payloads need not be copied.
    fn large(&mut self, payload: Bytes) -> impl Future<Output = Result<Bytes, Failure>> + Send;

    /// Asks for messages and tells the size of each payload; goes on while it is told to.
    fn receive(
        &mut self,
        shape: Shape,
        messages: u64,
        payload: usize,
        take: impl FnMut(usize) -> bool + Send,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sends so many messages and waits for the answer.
    fn upload(
        &mut self,
        messages: u64,
        payload: usize,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sends a message each time it is told to, and waits for the one that comes back.
    fn ping_pong(
        &mut self,
        payload: usize,
        next: impl FnMut() -> bool + Send,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks for messages, waits until they begin, and reads none.
    fn hold(
        &mut self,
        messages: u64,
        payload: usize,
    ) -> impl Future<Output = Result<Held, Failure>> + Send;
}

/// Calls the server as the command line says and prints one line of JSON.
///
/// Errors: any failed call ends the program: a benchmark of errors measures nothing.
pub fn run_client<C: Client>() -> Result<(), Failure> {
    let arguments = ClientArguments::parse()?;
    runtime(arguments.single_thread)?.block_on(call::<C>(&arguments))
}

async fn call<C: Client>(arguments: &ClientArguments) -> Result<(), Failure> {
    let budget = Budget::new(arguments.calls);
    let mut connections = Vec::new();
    let mut callers = JoinSet::new();
    let mut held = Vec::new();
    for number in 0..arguments.connections {
        let counters = Counters::new();
        let mut client = C::connect(arguments).await?;
        if number == 0 {
            for _ in 0..arguments.unread {
                held.push(client.hold(UNREAD_MESSAGES, UNREAD_BYTES).await?);
            }
        }
        for _ in 0..arguments.in_flight {
            let caller = Caller {
                client: client.clone(),
                counters: counters.clone(),
                budget: budget.clone(),
                shape: arguments.shape,
                payload: arguments.payload,
                messages: arguments.messages,
            };
            callers.spawn(caller.run());
        }
        connections.push(counters);
    }
    let mut meter = Meter::new(connections, arguments.server_pid);
    if arguments.calls.is_some() {
        meter.begin();
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        println!("{}", meter.line());
        return Ok(());
    }
    tokio::select! {
        line = meter.measure(arguments) => println!("{line}"),
        ended = callers.join_next() => {
            ended.ok_or("no caller")???;
            return Err("a caller ended".into());
        }
    }
    drop(held);
    // The callers never end by themselves; their connections end with the process.
    std::process::exit(0);
}

/// One that calls again as soon as it has its answer.
struct Caller<C> {
    client: C,
    counters: Arc<Counters>,
    budget: Arc<Budget>,
    shape: Shape,
    payload: usize,
    messages: u64,
}

impl<C: Client> Caller<C> {
    async fn run(mut self) -> Result<(), Failure> {
        let shared = Bytes::from(vec![0x5a; self.payload]);
        if self.shape == Shape::PingPong {
            return self.ping_pong().await;
        }
        while self.budget.take() {
            let begin = Instant::now();
            match self.shape {
                Shape::Unary => {
                    let answer = self.client.unary(shared.to_vec()).await?;
                    self.expect(answer.len() as u64, self.payload as u64)?;
                    self.counters.count(1);
                }
                Shape::Large => {
                    let answer = self.client.large(shared.clone()).await?;
                    self.expect(answer.len() as u64, self.payload as u64)?;
                    self.counters.count(1);
                }
                Shape::Upload => {
                    self.client.upload(self.messages, self.payload).await?;
                    self.counters.count(self.messages);
                }
                _ => self.receive().await?,
            }
            self.counters.record(begin.elapsed());
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        let (mut messages, mut wrong) = (0, 0);
        let take = |bytes| {
            messages += 1;
            wrong += u64::from(bytes != self.payload);
            self.counters.count(1);
            true
        };
        self.client
            .receive(self.shape, self.messages, self.payload, take)
            .await?;
        self.expect(messages, self.messages)?;
        self.expect(wrong, 0)
    }

    async fn ping_pong(&mut self) -> Result<(), Failure> {
        let mut sent: Option<Instant> = None;
        let next = || {
            let now = Instant::now();
            if let Some(sent) = sent.replace(now) {
                self.counters.count(1);
                self.counters.record(now - sent);
            }
            self.budget.take()
        };
        self.client.ping_pong(self.payload, next).await
    }

    fn expect(&self, found: u64, expected: u64) -> Result<(), Failure> {
        if found == expected {
            return Ok(());
        }
        Err(format!(
            "{:?}: {found} came where {expected} should have",
            self.shape
        )
        .into())
    }
}
