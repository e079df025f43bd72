//! The calls of a mixed load, what answers them, and how each may end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::timeout;
use trunkline::server::{Receiver, Sender};
use trunkline::transport::http2::Engine;
use trunkline::{Code, RequestContext, Response, Status};
use trunkline_test_protos::echo::{Echo, EchoClient, Note};

/// Handlers do what a note's text says.
const FAIL: &str = "fail";
const WAIT: &str = "wait";
const EARLY: &str = "early";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Once,
    Expand,
    Collect,
    Chat,
}

/// What disturbs a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    Nothing,
    /// The handler says no.
    Failure,
    /// The handler never answers; the deadline is so far away.
    Deadline(Duration),
    /// All of it is dropped after this time.
    Drop(Duration),
    /// The sender aborts when it has sent, the receiver cancels at its first message.
    Cancel,
    /// The handler answers without having read.
    Early,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    kind: Kind,
    whim: Whim,
    messages: u64,
    bytes: usize,
}

/// What lies between the calls and their server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One connection.
    Steady,
    /// Connections that end in order.
    Rotating,
    /// Connections that are cut, and servers that stop.
    Torn,
}

/// How a call ended; `None` if it was dropped.
pub(super) type Outcome = Option<Result<(), Status>>;

impl Call {
    pub(super) fn draw(random: &mut Rng) -> Self {
        let kinds = [Kind::Once, Kind::Expand, Kind::Collect, Kind::Chat];
        let kind = kinds[random.usize(..kinds.len())];
        let soon = Duration::from_millis(random.u64(1..20));
        let whim = match (random.u8(..20), kind) {
            (0, _) => Whim::Failure,
            (1, _) => Whim::Deadline(soon),
            (2..=3, _) => Whim::Drop(soon),
            (4..=5, Kind::Expand | Kind::Chat) => Whim::Cancel,
            (6, Kind::Collect) => Whim::Early,
            _ => Whim::Nothing,
        };
        let sizes = [0, 10, 1_000, 20_000, 100_000];
        Self {
            kind,
            whim,
            messages: random.u64(1..8),
            bytes: sizes[random.usize(..sizes.len())],
        }
    }

    pub(super) async fn make(&self, echo: &EchoClient) -> Outcome {
        match self.whim {
            Whim::Drop(after) => timeout(after, self.call(echo)).await.ok(),
            _ => Some(self.call(echo).await),
        }
    }

    /// Panics where a call must not end like that.
    pub(super) fn judge(&self, how: &Outcome, way: Way) {
        let Some(how) = how else { return };
        let code = how.as_ref().err().map(Status::code);
        let is_lost = code == Some(Code::Unavailable);
        // Over the h2 crate what waits to be opened is left out: it answers the server's PING first. What sends a stream
        // can send it again, what sends one message has it sent again.
        let is_surely = how.as_ref().is_err_and(Status::is_unprocessed);
        let sends_stream = matches!(self.kind, Kind::Collect | Kind::Chat);
        let is_left_out = Engine::default() == Engine::H2 && is_surely && sends_stream;
        let may_be = match way {
            Way::Steady => false,
            Way::Rotating => is_lost && is_left_out,
            Way::Torn => is_lost,
        };
        // Behind its first message an answer may have come to its end already.
        let had_arrived = (self.whim, self.kind, code) == (Whim::Cancel, Kind::Expand, None);
        if may_be || had_arrived {
            return;
        }
        let expected = match self.whim {
            Whim::Nothing | Whim::Early | Whim::Drop(_) => None,
            Whim::Failure => Some(Code::Aborted),
            Whim::Deadline(_) => Some(Code::DeadlineExceeded),
            Whim::Cancel => Some(Code::Cancelled),
        };
        assert_eq!(code, expected, "{self:?}: {how:?}");
    }

    fn note(&self, number: u64) -> Note {
        let text = match self.whim {
            Whim::Failure => FAIL,
            Whim::Deadline(_) => WAIT,
            Whim::Early => EARLY,
            Whim::Nothing | Whim::Drop(_) | Whim::Cancel => "",
        };
        Note {
            text: text.to_owned(),
            data: vec![7; self.bytes],
            number,
        }
    }

    async fn call(&self, echo: &EchoClient) -> Result<(), Status> {
        match self.kind {
            Kind::Once => self.once(echo).await,
            Kind::Expand => self.expand(echo).await,
            Kind::Collect => self.collect(echo).await,
            Kind::Chat => self.chat(echo).await,
        }
    }

    /// Long, where the deadline is not what ends it.
    fn timeout(&self) -> Duration {
        match self.whim {
            Whim::Deadline(soon) => soon,
            _ => Duration::from_secs(50),
        }
    }

    async fn once(&self, echo: &EchoClient) -> Result<(), Status> {
        let call = echo.once(self.note(1)).timeout(self.timeout());
        assert_eq!(call.await?.into_message(), self.note(1));
        Ok(())
    }

    async fn expand(&self, echo: &EchoClient) -> Result<(), Status> {
        let call = echo.expand(self.note(self.messages));
        let mut notes = call.timeout(self.timeout()).await?;
        let mut came = 0;
        while let Some(note) = notes.recv().await? {
            assert_eq!(note, self.note(came), "{self:?}");
            came += 1;
            if self.whim == Whim::Cancel {
                notes.cancel();
                return drained(&mut notes).await;
            }
        }
        assert_eq!(came, self.messages, "{self:?}");
        Ok(())
    }

    async fn collect(&self, echo: &EchoClient) -> Result<(), Status> {
        let (mut sender, sum) = echo.collect().timeout(self.timeout()).await?;
        for number in 0..self.messages {
            // Its status comes out below.
            if sender.send(&self.note(number)).await.is_err() {
                break;
            }
        }
        sender.finish();
        let sum = sum.await?.into_message();
        let all = match self.whim {
            Whim::Early => 0,
            _ => self.messages,
        };
        assert_eq!(sum.number, all, "{self:?}");
        Ok(())
    }

    async fn chat(&self, echo: &EchoClient) -> Result<(), Status> {
        let (mut sender, mut notes) = echo.chat().timeout(self.timeout()).await?;
        let sends = async move {
            for number in 0..self.messages {
                if sender.send(&self.note(number)).await.is_err() {
                    return;
                }
            }
            match self.whim {
                Whim::Cancel => sender.abort(),
                _ => sender.finish(),
            }
        };
        let receives = async {
            if self.whim == Whim::Cancel {
                return drained(&mut notes).await;
            }
            let mut came = 0;
            while let Some(note) = notes.recv().await? {
                assert_eq!(note, self.note(came), "{self:?}");
                came += 1;
            }
            assert_eq!(came, self.messages, "{self:?}");
            Ok(())
        };
        tokio::join!(sends, receives).1
    }
}

/// What had arrived, and then the end.
async fn drained(notes: &mut trunkline::client::Receiver<Note>) -> Result<(), Status> {
    while notes.recv().await?.is_some() {}
    Ok(())
}

/// How many calls ended in which way.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(super) fn count(&mut self, how: &Outcome) {
        let name = match how {
            None => "dropped".to_owned(),
            Some(Ok(())) => "ok".to_owned(),
            Some(Err(status)) => status.code().to_string(),
        };
        *self.0.entry(name).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }

    pub(super) fn well(&self) -> u64 {
        self.0.get("ok").copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Answers as the notes say.
pub(super) struct Service;

/// What this note asks for besides an answer.
async fn obey(note: &Note) -> Result<(), Status> {
    match note.text.as_str() {
        FAIL => Err(Status::aborted("as it was asked to")),
        WAIT => std::future::pending().await,
        _ => Ok(()),
    }
}

impl Echo for Service {
    async fn once(&self, _: &RequestContext, request: Note) -> Result<Response<Note>, Status> {
        obey(&request).await?;
        Ok(request.into())
    }

    async fn expand(
        &self,
        _: &RequestContext,
        request: Note,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        obey(&request).await?;
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
        let mut all = Note::default();
        while let Some(each) = requests.recv().await? {
            obey(&each).await?;
            if each.text == EARLY {
                break;
            }
            all.number += 1;
        }
        Ok(all.into())
    }

    async fn chat(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        while let Some(each) = requests.recv().await? {
            obey(&each).await?;
            responses.send(&each).await?;
        }
        Ok(())
    }
}
