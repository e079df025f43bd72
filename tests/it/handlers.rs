//! Services that the tests call: one that answers plainly, one whose handlers each test brings.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Barrier, mpsc};
use trunkline::server::{Receiver, Sender, ServerBuilder};
use trunkline::{RequestContext, Response, Server, Status};
use trunkline_test_protos::echo::{Echo, EchoServer, Note};
use trunkline_test_protos::ledger::{Entry, Ledger, LedgerServer};

/// What a handler that a test brings returns: `Box::pin(async move { ... })`.
pub(crate) type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>>;

/// A note with this text.
pub(crate) fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        ..Note::default()
    }
}

/// A note with this number.
pub(crate) fn number(number: u64) -> Note {
    Note {
        number,
        ..Note::default()
    }
}

/// A note with this many bytes.
pub(crate) fn bytes(length: usize) -> Note {
    Note {
        data: vec![7; length],
        ..Note::default()
    }
}

/// An amount on account "a".
pub(crate) fn amount(amount: i64) -> Entry {
    Entry {
        account: "a".to_owned(),
        amount,
    }
}

/// A plaintext server with both services in their plain form.
pub(crate) fn plain() -> ServerBuilder {
    both(Plain::default())
}

/// A plaintext server whose Echo has the handlers of a test.
pub(crate) fn scripted(echo: Scripted) -> ServerBuilder {
    Server::insecure()
        .add_service(EchoServer::new(echo))
        .add_service(LedgerServer::new(Plain::default()))
}

/// A plaintext server with both services, whose handlers pass this gate first.
pub(crate) fn gated(gate: &Arc<Barrier>) -> ServerBuilder {
    both(Plain {
        gate: Some(Arc::clone(gate)),
    })
}

fn both(service: Plain) -> ServerBuilder {
    let service = Arc::new(service);
    Server::insecure()
        .add_service(EchoServer::from_arc(Arc::clone(&service)))
        .add_service(LedgerServer::from_arc(service))
}

/// Answers as the comments in the protos say.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// No handler answers before this many are running.
    gate: Option<Arc<Barrier>>,
}

impl Plain {
    async fn pass(&self) {
        if let Some(gate) = &self.gate {
            gate.wait().await;
        }
    }
}

impl Echo for Plain {
    async fn once(&self, _: &RequestContext, request: Note) -> Result<Response<Note>, Status> {
        self.pass().await;
        Ok(request.into())
    }

    async fn expand(
        &self,
        _: &RequestContext,
        request: Note,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        self.pass().await;
        for number in 0..request.number {
            let each = Note {
                number,
                ..request.clone()
            };
            responses.send(&each).await?;
        }
        Ok(())
    }

    async fn collect(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
    ) -> Result<Response<Note>, Status> {
        self.pass().await;
        let mut all = Note::default();
        while let Some(each) = requests.recv().await? {
            all.text.push_str(&each.text);
            all.number += each.number;
        }
        Ok(all.into())
    }

    async fn chat(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        self.pass().await;
        while let Some(each) = requests.recv().await? {
            responses.send(&each).await?;
        }
        Ok(())
    }
}

impl Ledger for Plain {
    async fn double(&self, _: &RequestContext, request: Entry) -> Result<Response<Entry>, Status> {
        self.pass().await;
        Ok(amount(request.amount * 2).into())
    }

    async fn count(
        &self,
        _: &RequestContext,
        request: Entry,
        mut responses: Sender<Entry>,
    ) -> Result<(), Status> {
        self.pass().await;
        for each in 1..=request.amount {
            responses.send(&amount(each)).await?;
        }
        Ok(())
    }

    async fn sum(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Entry>,
    ) -> Result<Response<Entry>, Status> {
        self.pass().await;
        let mut sum = 0;
        while let Some(each) = requests.recv().await? {
            sum += each.amount;
        }
        Ok(amount(sum).into())
    }

    async fn balance(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Entry>,
        mut responses: Sender<Entry>,
    ) -> Result<(), Status> {
        self.pass().await;
        let mut balance = 0;
        while let Some(each) = requests.recv().await? {
            balance += each.amount;
            responses.send(&amount(balance)).await?;
        }
        Ok(())
    }
}

macro_rules! scripted {
    ($($method:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        /// An Echo whose handlers are closures; those not given answer plainly.
        #[derive(Default)]
        pub(crate) struct Scripted {
            plain: Plain,
            $($method: Option<Box<
                dyn for<'a> Fn(&'a RequestContext, $($type),*) -> Running<'a, $output> + Send + Sync,
            >>,)*
        }

        impl Scripted {
            $(pub(crate) fn $method(
                mut self,
                handler: impl for<'a> Fn(&'a RequestContext, $($type),*) -> Running<'a, $output>
                    + Send
                    + Sync
                    + 'static,
            ) -> Self {
                self.$method = Some(Box::new(handler));
                self
            })*
        }

        impl Echo for Scripted {
            $(async fn $method(
                &self,
                cx: &RequestContext,
                $($argument: $type),*
            ) -> Result<$output, Status> {
                match &self.$method {
                    Some(handler) => handler(cx, $($argument),*).await,
                    None => self.plain.$method(cx, $($argument),*).await,
                }
            })*
        }
    };
}

scripted! {
    once(request: Note) -> Response<Note>;
    expand(request: Note, responses: Sender<Note>) -> ();
    collect(requests: Receiver<Note>) -> Response<Note>;
    chat(requests: Receiver<Note>, responses: Sender<Note>) -> ();
}

/// Where handlers say what happens to them, in order.
#[derive(Clone, Debug)]
pub(crate) struct Teller(mpsc::UnboundedSender<String>);

/// Where a test hears of it.
#[derive(Debug)]
pub(crate) struct Told(mpsc::UnboundedReceiver<String>);

/// Both ends of what handlers tell.
pub(crate) fn telling() -> (Teller, Told) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Teller(sender), Told(receiver))
}

impl Teller {
    pub(crate) fn say(&self, what: impl Into<String>) {
        // A test that is over does not listen any more.
        let _ = self.0.send(what.into());
    }

    /// Says so when it is dropped.
    pub(crate) fn guard(&self, name: &str) -> Guard {
        Guard(self.clone(), format!("{name} dropped"))
    }
}

impl Told {
    pub(crate) async fn next(&mut self) -> String {
        self.0.recv().await.expect("a handler that tells")
    }

    /// The next thing told is this.
    pub(crate) async fn expect(&mut self, what: &str) {
        assert_eq!(self.next().await, what);
    }

    /// These are told next, in any order.
    pub(crate) async fn expect_all<const N: usize>(&mut self, mut expected: [&str; N]) {
        let mut told = Vec::new();
        for _ in 0..N {
            told.push(self.next().await);
        }
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }
}

/// A drop guard: fires however a handler ends.
#[derive(Debug)]
pub(crate) struct Guard(Teller, String);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.say(self.1.as_str());
    }
}
