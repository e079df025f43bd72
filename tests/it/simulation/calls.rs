//! What the simulated clients do, and what they hold to be true of each call's end.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use trunkline::{Code, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use super::service::{Service, fails, payload};

/// No call takes this long, even without a deadline: keepalive ends what a partition holds.
const HANGS: Duration = Duration::from_secs(900);

/// A client's clock and a timer's: rounding to milliseconds on both sides.
const SLACK: Duration = Duration::from_millis(5);

/// One call, as its seed wants it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    name: String,
    kind: u8,
    messages: u64,
    bytes: usize,
    deadline: Option<Duration>,
    waits: bool,
    /// Dropped after this time.
    dropped: Option<Duration>,
    /// Between two messages that are received.
    pause: Duration,
}

impl Call {
    pub(super) fn draw(random: &mut fastrand::Rng, name: &str) -> Self {
        let sizes = [0, 10, 1_000, 20_000, 100_000];
        let one_in = |random: &mut fastrand::Rng, many| random.usize(..many) == 0;
        let some_time =
            |random: &mut fastrand::Rng, most| Duration::from_millis(random.u64(1..most));
        let fails = one_in(random, 8);
        Self {
            name: format!("{name}{}", if fails { "!" } else { "" }),
            kind: random.u8(..4),
            messages: random.u64(..12),
            bytes: sizes[random.usize(..sizes.len())],
            deadline: (!one_in(random, 4)).then(|| some_time(random, 20_000)),
            waits: random.bool(),
            dropped: one_in(random, 6).then(|| some_time(random, 2_000)),
            pause: if one_in(random, 3) {
                some_time(random, 300)
            } else {
                Duration::ZERO
            },
        }
    }

    /// Makes it, and says how it ended; panics where it must not end like that.
    pub(super) async fn run(self, echo: &EchoClient, service: &Service) -> String {
        let begin = Instant::now();
        let call = self.make(echo);
        let made = match self.dropped {
            Some(time) => match timeout(time, call).await {
                Ok(made) => made,
                Err(_) => return format!("{}: dropped", self.name),
            },
            None => match timeout(HANGS, call).await {
                Ok(made) => made,
                Err(_) => panic!("hangs: {self:?}"),
            },
        };
        let took = begin.elapsed();
        if let Some(deadline) = self.deadline {
            // Who pauses learns of it at the next message.
            let latest = deadline + self.pause + SLACK;
            assert!(took <= latest, "{took:?}, {self:?}: {made:?}");
        }
        match made {
            Ok(()) => {
                assert!(
                    fails(&self.name).is_none() || self.says_nothing(),
                    "{self:?}"
                );
                format!("{}: ok", self.name)
            }
            Err(status) => {
                self.judge(&status, took, service);
                format!("{}: {:?}", self.name, status.code())
            }
        }
    }

    /// A stream without messages tells the server no name.
    fn says_nothing(&self) -> bool {
        self.kind >= 2 && self.messages == 0
    }

    fn judge(&self, status: &Status, took: Duration, service: &Service) {
        if status.is_unprocessed() {
            let begun = service.begun(&self.name);
            assert_eq!(begun, 0, "{self:?}: {status:?}");
        }
        match status.code() {
            Code::Aborted => {
                let meant = fails(&self.name).map(|status| status.message().to_owned());
                assert_eq!(meant.as_deref(), Some(status.message()), "{self:?}");
            }
            Code::DeadlineExceeded => {
                let deadline = self.deadline.expect("only calls that have one");
                assert!(took + SLACK >= deadline, "{took:?}, {self:?}: {status:?}");
            }
            Code::Unavailable => {}
            _ => panic!("{self:?} ended with {status:?}"),
        }
    }

    async fn make(&self, echo: &EchoClient) -> Result<(), Status> {
        match self.kind {
            0 => self.once(echo).await,
            1 => self.expand(echo).await,
            2 => self.collect(echo).await,
            _ => self.chat(echo).await,
        }
    }

    fn note(&self, number: u64) -> Note {
        Note {
            text: self.name.clone(),
            data: payload(&self.name, number, self.bytes),
            number,
        }
    }

    async fn once(&self, echo: &EchoClient) -> Result<(), Status> {
        let note = self.note(self.messages);
        let mut call = echo.once(note.clone()).wait_for_ready(self.waits);
        if let Some(deadline) = self.deadline {
            call = call.timeout(deadline);
        }
        let answer = call.await?;
        assert_eq!(answer.into_message(), note);
        Ok(())
    }

    async fn expand(&self, echo: &EchoClient) -> Result<(), Status> {
        let note = self.note(self.messages);
        let length = note.data.len();
        let mut call = echo.expand(note).wait_for_ready(self.waits);
        if let Some(deadline) = self.deadline {
            call = call.timeout(deadline);
        }
        let mut answers = call.await?;
        let mut came = 0;
        while let Some(answer) = answers.recv().await? {
            assert_eq!(answer.number, came, "in order, none twice: {self:?}");
            assert_eq!(answer.data, payload(&self.name, came, length), "{self:?}");
            came += 1;
            sleep(self.pause).await;
        }
        assert_eq!(
            came, self.messages,
            "a cut stream is no clean end: {self:?}"
        );
        Ok(())
    }

    async fn collect(&self, echo: &EchoClient) -> Result<(), Status> {
        let mut call = echo.collect().wait_for_ready(self.waits);
        if let Some(deadline) = self.deadline {
            call = call.timeout(deadline);
        }
        let (mut requests, summary) = call.await?;
        for number in 0..self.messages {
            // Its status comes out below.
            if requests.send(&self.note(number)).await.is_err() {
                break;
            }
        }
        requests.finish();
        let answer = summary.await?.into_message();
        assert_eq!(answer.number, self.messages, "all of it arrived: {self:?}");
        Ok(())
    }

    async fn chat(&self, echo: &EchoClient) -> Result<(), Status> {
        let mut call = echo.chat().wait_for_ready(self.waits);
        if let Some(deadline) = self.deadline {
            call = call.timeout(deadline);
        }
        let (mut requests, mut answers) = call.await?;
        let send = async move {
            for number in 0..self.messages {
                if requests.send(&self.note(number)).await.is_err() {
                    break;
                }
            }
            requests.finish();
        };
        let receive = async {
            let mut came = 0;
            while let Some(answer) = answers.recv().await? {
                assert_eq!(answer, self.note(came), "{self:?}");
                came += 1;
                sleep(self.pause).await;
            }
            assert_eq!(
                came, self.messages,
                "a cut stream is no clean end: {self:?}"
            );
            Ok(())
        };
        tokio::join!(send, receive).1
    }
}
