//! The end of a connection: why, whom it concerns, and the last words.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite};
use trunkline_core::{Stage as CallStage, Status};

use super::held::UNTAKEN;
use super::turn::Stage;
use super::{Driver, Turn};
use crate::http2::failure::{
    closed_by_peer, closed_for_breach, connection_failed, io_error, keepalive_error, unavailable,
};
use crate::http2::native::connection::{Control, KEEPALIVE_TIMEOUT, Role};
use crate::http2::native::frame::{Fatal, Reason};
use crate::http2::native::guard::WRITE_TIMEOUT;
use crate::http2::native::link::Mail;
use crate::now;

/// What a peer that takes nothing any more is granted before the socket is dropped.
const GOODBYE: Duration = Duration::from_secs(1);

/// The same for all of the last words and what lies before them, as long as it takes some.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What the peer may still be sending while it is told why this side hangs up.
const LINGER_BYTES: u64 = 64 * 1024;

/// How often the socket is read in one turn then.
const MOST_READS: usize = 64;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Death {
    Io(io::Error),
    /// Nothing could be written.
    Unwritten(io::Error),
    Eof {
        mid_frame: bool,
    },
    /// Found by this side.
    Fatal(Fatal),
    /// Wanted by this side.
    Aborted(Status),
    /// Nobody waits for anything of it, and the peer takes nothing.
    Forsaken(Status),
}

impl From<Fatal> for Death {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

/// The last moments.
#[derive(Debug)]
pub(super) struct Closing {
    /// What is told then.
    why: Option<Status>,
    /// Client: why, to those who wait for the end.
    cause: Option<Status>,
    patience: Patience,
    step: Step,
    /// The peer may be writing so much, and is to read why this side hangs up.
    lingers: u64,
    read: u64,
}

/// How long a peer that is to take the last words is waited for: what lies before them may be much,
/// and its path slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) until: Instant,
    end: Instant,
    sent: u64,
}

impl Patience {
    fn new(sent: u64, now: Instant) -> Self {
        Self {
            until: now.checked_add(GOODBYE).unwrap_or(now),
            end: now.checked_add(LAST_WORDS).unwrap_or(now),
            sent,
        }
    }

    /// So much did the socket ever take, and give in the end.
    fn took(&mut self, sent: u64, now: Instant) {
        if sent != self.sent {
            self.sent = sent;
            let until = now.checked_add(GOODBYE).unwrap_or(now);
            self.until = until.min(self.end);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    Shutdown,
    Linger,
}

impl Driver {
    /// Ends the connection: whoever waits for anything of it learns why.
    pub(super) fn die(&mut self, death: &Death) {
        if let Death::Fatal(fatal) = death
            && fatal.text != KEEPALIVE_TIMEOUT
        {
            self.breach = Some(fatal.text);
        }
        let (why, told) = self.explain(death);
        self.lose_all(why);
        let last_words = match death {
            // A peer that takes nothing is not told.
            &Death::Fatal(fatal)
                if ![KEEPALIVE_TIMEOUT, WRITE_TIMEOUT, UNTAKEN].contains(&fatal.text) =>
            {
                self.core.fatal(fatal, &mut self.out);
                true
            }
            Death::Aborted(_) => {
                let now = self.now;
                self.core.control(Control::Close(Reason::NO_ERROR, ""), now);
                self.core.fill(&mut self.out, now);
                false
            }
            Death::Fatal(_)
            | Death::Io(_)
            | Death::Unwritten(_)
            | Death::Eof { .. }
            | Death::Forsaken(_) => {
                self.finish(told);
                return;
            }
        };
        self.close(told, None, if last_words { LINGER_BYTES } else { 0 });
    }

    /// All is said, by both sides.
    pub(super) fn close_in_order(&mut self) {
        let (why, cause) = match self.role {
            Role::Client => (None, self.clean_end()),
            Role::Server => (self.blame(), self.hung_up()),
        };
        // A client that has not read all of its answers yet still writes what it owes for them: to a socket that is
        // closed, which would answer with a reset, and lose them. One that does not even answer a PING writes nothing.
        // But a PING behind long answers says nothing of those who read them slowly.
        let is_mute = self.core.is_mute() && !self.has_owed;
        let lingers = self.role == Role::Server && !is_mute;
        if self.core.open() > 0 {
            // An abrupt end: nobody is to wait for what the client still says.
            self.lose_all(cause.clone());
        }
        // All that was under way, of an upload that was answered early for one.
        self.close(why, Some(cause), if lingers { u64::MAX } else { 0 });
    }

    fn close(&mut self, why: Option<Status>, cause: Option<Status>, lingers: u64) {
        self.closing = Some(Box::new(Closing {
            why,
            cause,
            patience: Patience::new(self.sent(), now()),
            step: Step::Write,
            lingers,
            read: 0,
        }));
        self.stage = Stage::Closing;
        self.core.abandon();
        self.rest();
    }

    /// Server: all streams are over, and their clients have not heard all of it perhaps.
    pub(super) fn is_leaving(&self) -> bool {
        let stays = |closing: &Closing| closing.lingers == u64::MAX;
        match &self.closing {
            Some(closing) => stays(closing),
            None => self.core.is_done() && self.owes_answers(),
        }
    }

    /// There is nobody to talk to.
    fn finish(&mut self, why: Option<Status>) {
        self.close(why, None, 0);
        if let Some(closing) = &mut self.closing {
            closing.step = Step::Linger;
        }
    }

    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let Some(mut closing) = self.closing.take() else {
            return Poll::Ready(Turn::Ended(None));
        };
        if self.poll_last_words(&mut closing, cx).is_pending() {
            let now = now();
            closing
                .patience
                .took(self.sent().saturating_add(closing.read), now);
            let until = closing.patience.until;
            if until > now && !self.must_end(cx) {
                if self.alarm.poll(Some(until), cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
                self.closing = Some(closing);
                return Poll::Pending;
            }
        }
        if let Some(cause) = closing.cause {
            self.lose_all(cause);
        }
        self.hold_nothing();
        Poll::Ready(Turn::Ended(closing.why))
    }

    /// Best effort: the socket may be gone.
    fn poll_last_words(&mut self, closing: &mut Closing, cx: &mut Context<'_>) -> Poll<()> {
        let mut reads = 0;
        loop {
            match closing.step {
                Step::Write => {
                    self.core.fill(&mut self.out, self.now);
                    if ready!(self.write_all(cx)).is_err() {
                        return Poll::Ready(());
                    }
                    if !self.out.is_empty() {
                        continue;
                    }
                    closing.step = Step::Shutdown;
                }
                Step::Shutdown => {
                    if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
                        return Poll::Ready(());
                    }
                    closing.step = Step::Linger;
                }
                // Closing a socket with unread bytes would reset the connection, and lose the last
                // words.
                Step::Linger if closing.read < closing.lingers => {
                    if reads == MOST_READS {
                        // Its time is looked at, and others run.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    reads += 1;
                    let mut sink = [0; 4096];
                    let read = ready!(pin!(self.io.read(&mut sink)).poll(cx));
                    match read {
                        Ok(0) | Err(_) => return Poll::Ready(()),
                        Ok(read) => closing.read += u64::try_from(read).unwrap_or(u64::MAX),
                    }
                }
                Step::Linger => return Poll::Ready(()),
            }
        }
    }

    /// The connection is gone, for this reason, with all that is open on it.
    pub(super) fn lose_all(&mut self, why: Status) {
        let Mail {
            starts, streams, ..
        } = self.link.close(why);
        for opening in starts {
            opening.cell.lose(&self.link, true, &mut self.wakers);
        }
        drop(streams);
        let taken = self.out.taken();
        for slot in std::mem::take(&mut self.streams).into_iter().flatten() {
            let offset = self.core.head_offset(slot.key);
            // The peer can have seen nothing of it.
            let unseen = offset.is_none_or(|offset| offset > taken);
            slot.cell.lose(&self.link, unseen, &mut self.wakers);
        }
        self.forsaken = 0;
        self.wake_all();
        if let Some(slots) = &self.slots {
            slots.wake_all();
        }
    }

    /// Nobody uses the connection any more.
    pub(super) fn say_goodbye(&mut self) {
        let now = self.now;
        self.core.control(Control::Close(Reason::NO_ERROR, ""), now);
    }

    /// Client: nobody waits for anything, but the peer does not take our last words.
    pub(super) fn watch_goodbye(&mut self) {
        let live = self.core.open().saturating_sub(self.forsaken);
        if !self.is_let_go || live > 0 {
            self.goodbye = None;
            return;
        }
        let (sent, now) = (self.sent(), self.now);
        let goodbye = self.goodbye.get_or_insert_with(|| Patience::new(sent, now));
        goodbye.took(sent, now);
        if goodbye.until <= now {
            let text = "closed by this side; the peer did not take the last words";
            self.death = Some(Death::Forsaken(unavailable(text)));
        }
    }

    /// What of it streams are told, and what whoever drives the connection.
    fn explain(&self, death: &Death) -> (Status, Option<Status>) {
        let peer = self.link.peer();
        let stage = match (self.is_settled, self.role) {
            (false, _) => CallStage::Http2,
            (true, Role::Client) => CallStage::Response,
            (true, Role::Server) => CallStage::Request,
        };
        let why = match death {
            Death::Eof { mid_frame: false } if self.is_settled => {
                return match self.role {
                    Role::Client => (self.clean_end(), None),
                    Role::Server => (self.hung_up(), self.blame()),
                };
            }
            Death::Eof { mid_frame: false } if self.role == Role::Client => {
                unavailable("closed before it sent its HTTP/2 settings")
                    .context(format_args!("connection to {}", peer.address()))
                    .with_stage(CallStage::Http2)
            }
            Death::Eof { .. } => {
                let error = io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the peer hung up in the middle of a frame",
                );
                io_error(&error, peer, stage)
            }
            Death::Io(error) => io_error(error, peer, stage),
            Death::Unwritten(error) => {
                let stage = if self.is_settled {
                    CallStage::Response
                } else {
                    CallStage::Http2
                };
                io_error(error, peer, stage)
            }
            Death::Fatal(fatal) if fatal.text == KEEPALIVE_TIMEOUT => {
                keepalive_error(self.keepalive_timeout, peer, stage)
            }
            Death::Fatal(fatal) if fatal.text == WRITE_TIMEOUT => {
                let text = "write_timeout: it takes nothing (setting write_timeout)";
                connection_failed(text, peer, stage)
            }
            Death::Fatal(Fatal {
                reason: Reason::NO_ERROR,
                text,
            }) => connection_failed(text, peer, stage),
            Death::Fatal(Fatal { reason, text }) => {
                let why = format_args!("{reason}, {text}");
                closed_for_breach(Some(reason.0), why, peer, stage)
            }
            Death::Aborted(why) | Death::Forsaken(why) => why.clone(),
        };
        let why = if self.is_settled {
            why
        } else if self.role == Role::Client {
            self.heard.explain_server(why, peer)
        } else {
            self.heard.explain_client(why, peer)
        };
        (why.clone(), Some(why))
    }

    /// Client: how the connection came to a good end: by GOAWAY, let go of by us, or by a FIN between
    /// two frames.
    fn clean_end(&self) -> Status {
        let peer = self.link.peer();
        if let Some((&reason, text)) = self.core.goodbye() {
            let said = if text.is_empty() {
                "no reason given"
            } else {
                text
            };
            return closed_by_peer(reason, said, peer, CallStage::Response).with_unprocessed(true);
        }
        let text = if self.is_let_go || !self.link.is_open() {
            "closed by this side"
        } else {
            "closed by the server"
        };
        unavailable(text).context(format_args!("connection to {}", peer.address()))
    }

    /// Server: what a client has said that left because of an error of ours, as it sees it.
    fn blame(&self) -> Option<Status> {
        let (&reason, _) = self.core.goodbye()?;
        let (said, peer) = (self.link.goodbye(), self.link.peer());
        (reason != Reason::NO_ERROR).then(|| closed_by_peer(reason, said, peer, CallStage::Request))
    }

    /// Server: how the connection came to a good end.
    fn hung_up(&self) -> Status {
        let peer = self.link.peer().address();
        Status::cancelled(format!("connection closed by {peer}"))
    }
}

impl Drop for Driver {
    /// However its task ends, a panic or its runtime's end included: whoever waits must learn.
    fn drop(&mut self) {
        let text = "the connection's task has ended";
        self.lose_all(match self.role {
            Role::Client => unavailable(text),
            Role::Server => Status::cancelled(text),
        });
    }
}
