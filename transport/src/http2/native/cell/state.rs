//! What lies under a cell's lock.

use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Metadata, Stage, Status};

use super::outbox::Outbox;
use super::{LARGE, Wakers, write};
use crate::http2::ResponseForm;
use crate::http2::failure::{
    self, cut_off, early_end, ended_status, fault, left_out, reset_by_peer, unavailable,
};
use crate::http2::native::connection::{End, Inbound, MAX_INTERIM, StreamKey, TOO_MANY_INTERIM};
use crate::http2::native::frame::Reason;
use crate::http2::native::lent::Lent;
use crate::http2::native::link::Link;

/// Bytes that are kept of a call until its first answer; one that has sent more is not restarted.
const KEEP_LIMIT: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct State {
    /// The connection that it is on now.
    pub(super) link: Arc<Link>,
    /// How its driver calls it; `None` before the driver has looked at it.
    pub(super) key: Option<StreamKey>,
    /// It lies in the mailbox.
    pub(super) is_queued: bool,
    /// ... where it may wait for more.
    pub(super) may_wait: bool,
    /// The driver has forgotten it.
    pub(super) is_closed: bool,
    pub(super) is_client: bool,

    pub(super) inbound: Inbound,
    /// Bytes taken since the driver was last told.
    pub(super) freed: u32,
    /// Nobody will read any more.
    pub(super) is_unread: bool,

    pub(super) outbox: Lent<Outbox>,
    /// Bytes that were pushed and are not yet in the driver's output.
    pub(super) waiting: usize,
    /// The sender is woken when fewer wait.
    wake_below: usize,
    /// Data waits and there is no window for it.
    pub(super) is_blocked: bool,
    /// END_STREAM or RST_STREAM is queued.
    pub(super) ended: bool,
    /// Client: what was sent so far, while it may have to be sent once more.
    pub(super) kept: Option<Vec<Bytes>>,
    kept_bytes: usize,

    /// How this side ended the RPC, if its handler is not just done; both halves fail with it.
    failure: Option<Status>,
    /// Server: the handler is done, and has ended the RPC.
    has_returned: bool,
    /// Client: its deadline has passed, as its driver has seen.
    pub(super) is_late: bool,
    /// How it was ended from outside.
    pub(super) stop: Option<End>,
    /// The sender knows, or is about to.
    pub(super) has_failed: bool,
    /// It was lost before the peer can have seen it.
    pub(super) is_unprocessed: bool,

    /// Server: what halves in several tasks put together, until the RPC has ended.
    pub(super) response: Response,

    sender: Option<Waker>,
    pub(super) receiver: Option<Waker>,
    pub(super) runner: Option<Waker>,
}

/// A server's response that is put together piece by piece.
#[derive(Debug)]
pub(super) enum Response {
    /// Its RPC has ended, or answers at once.
    None,
    /// Its head was not sent yet.
    Unsent(Box<Unsent>),
    /// Its trailers, if there are any so far.
    Sent(Option<Box<Metadata>>),
}

#[derive(Debug)]
pub(super) struct Unsent {
    /// What its head will be made of.
    form: ResponseForm,
    pub(super) headers: Metadata,
    trailers: Metadata,
    /// The handler has set response headers of its own.
    pub(super) has_own_headers: bool,
}

impl Response {
    pub(super) fn new(form: ResponseForm) -> Self {
        Self::Unsent(Box::new(Unsent {
            form,
            headers: Metadata::new(),
            trailers: Metadata::new(),
            has_own_headers: false,
        }))
    }

    pub(super) fn unsent(&mut self) -> Option<&mut Unsent> {
        match self {
            Self::Unsent(unsent) => Some(unsent),
            Self::None | Self::Sent(_) => None,
        }
    }

    /// Runs `edit` on the trailers.
    pub(super) fn with_trailers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        Some(match self {
            Self::None => return None,
            Self::Unsent(unsent) => edit(&mut unsent.trailers),
            Self::Sent(Some(trailers)) => edit(trailers),
            Self::Sent(none) => {
                let mut trailers = Metadata::new();
                let edited = edit(&mut trailers);
                *none = boxed(trailers);
                edited
            }
        })
    }
}

/// Most streams have nothing to say behind their messages.
fn boxed(trailers: Metadata) -> Option<Box<Metadata>> {
    (!trailers.is_empty()).then(|| Box::new(trailers))
}

impl State {
    #[inline]
    pub(super) fn new(link: Arc<Link>, key: Option<StreamKey>) -> Self {
        Self {
            link,
            key,
            is_queued: false,
            may_wait: false,
            is_closed: false,
            is_client: false,
            inbound: Inbound::default(),
            freed: 0,
            is_unread: false,
            outbox: Lent::default(),
            waiting: 0,
            wake_below: 0,
            is_blocked: false,
            ended: false,
            kept: None,
            kept_bytes: 0,
            failure: None,
            has_returned: false,
            is_late: false,
            stop: None,
            has_failed: false,
            is_unprocessed: false,
            response: Response::None,
            sender: None,
            receiver: None,
            runner: None,
        }
    }

    /// A client's, opened with so many bytes that somebody waits for; true with it if those are all.
    #[inline]
    pub(super) fn client(link: Arc<Link>, waiting: usize, is_all: bool) -> Self {
        // Written once, not made and changed: it is large.
        Self {
            is_client: true,
            waiting,
            ended: is_all,
            kept: (!is_all).then(Vec::new),
            ..Self::new(link, None)
        }
    }

    /// Errors: why nothing more can be sent.
    pub(super) fn check(&self) -> Result<(), Status> {
        if let Some(told) = self.told() {
            return Err(told);
        }
        match self.stop {
            Some(end) if self.has_failed && !self.is_undecided() => Err(self.sender_status(end)),
            _ => Ok(()),
        }
    }

    /// The sender has found its stream gone: when what it sent was dropped, or it asks.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        if self.kept.is_none() {
            self.clear();
        }
    }

    /// Why nothing more can be sent, also to a sender that may yet be put on another stream, unless
    /// its call was refused.
    pub(super) fn closed(&mut self) -> Option<Status> {
        if self.stop.is_some() {
            self.fail();
        }
        if let Err(status) = self.check() {
            return Some(status);
        }
        match self.stop? {
            End::Reset(Reason::REFUSED_STREAM) => None,
            end => Some(self.sender_status(end)),
        }
    }

    /// True while the receiving half has to say whether the call goes out again.
    pub(super) const fn is_undecided(&self) -> bool {
        self.stop.is_some() && self.kept.is_some()
    }

    pub(super) const fn may_restart(&self) -> bool {
        self.kept.is_some() && !self.has_ended_locally()
    }

    /// Appends what `write` writes to what waits.
    pub(super) fn append(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        self.waiting += self.outbox.open().data().append(write)?;
        self.limit_kept();
        Ok(())
    }

    pub(super) fn append_frame(&mut self, frame: Bytes) {
        if frame.len() < LARGE {
            // It cannot fail.
            let _ = self.append(|buffer| {
                buffer.extend_from_slice(&frame);
                Ok(())
            });
        } else {
            self.append_large(frame);
        }
    }

    /// Appends a message in a buffer of its own, without copying it.
    pub(super) fn append_large(&mut self, message: Bytes) {
        self.waiting += message.len();
        self.outbox.open().data().push(message);
        self.limit_kept();
    }

    fn limit_kept(&mut self) {
        let queued = || self.outbox.get().map_or(0, Outbox::queued);
        if self.kept.is_some() && self.kept_bytes + queued() > KEEP_LIMIT {
            self.kept = None;
            if self.stop.is_some() {
                self.fail();
            }
        }
    }

    /// For the driver. What may have to be sent again is kept.
    pub(super) fn take_outbox(&mut self) -> Lent<Outbox> {
        let mut outbox = std::mem::take(&mut self.outbox);
        if let (Some(kept), Some(outbox)) = (&mut self.kept, outbox.get_mut()) {
            let data = outbox.data().take();
            self.kept_bytes += data.len();
            kept.extend(data.chunks().cloned());
            *outbox.data() = data;
        }
        outbox
    }

    /// Client: all that was sent, for a new stream; and whether that is all there is to send.
    pub(super) fn resend(&mut self) -> (Bytes, bool) {
        let mut all = self.kept.take().unwrap_or_default();
        if let Some(outbox) = self.outbox.get_mut() {
            all.extend(outbox.data().take().chunks().cloned());
        }
        let bytes = match all.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => many.concat().into(),
        };
        let end = self.ended;
        self.outbox.close();
        self.waiting = bytes.len();
        (bytes, end)
    }

    pub(super) fn clear(&mut self) {
        self.outbox.close();
        self.waiting = 0;
    }

    const fn has_ended_locally(&self) -> bool {
        self.has_returned || self.failure.is_some()
    }

    /// Server: the handler is done. What is there already stays.
    pub(super) const fn return_locally(&mut self) {
        self.has_returned |= self.failure.is_none();
    }

    /// The first reason stays.
    pub(super) fn fail_locally(&mut self, status: Status) {
        if !self.has_ended_locally() {
            self.failure = Some(status);
        }
    }

    /// What a half is told that outlives its RPC; `None` while this side has not ended it.
    pub(super) fn told(&self) -> Option<Status> {
        if self.has_returned {
            return Some(ended_status(Ok(&Metadata::new())));
        }
        self.failure.clone()
    }

    pub(super) fn drop_body(&mut self) {
        self.is_unread = true;
        self.inbound.clear();
    }

    /// Server: sends the response headers if they are not yet sent.
    pub(super) fn open(&mut self) -> bool {
        if !matches!(self.response, Response::Unsent(_)) {
            return false;
        }
        let sent = std::mem::replace(&mut self.response, Response::Sent(None));
        if let Response::Unsent(unsent) = sent {
            let head = write::response(&unsent.form, &unsent.headers);
            self.outbox.open().set_head(head, false);
            self.response = Response::Sent(boxed(unsent.trailers));
        }
        true
    }

    /// Server: queues trailers behind the messages, or a status alone: where the RPC fails before
    /// its first message and its handler has set no headers. What others have set goes with the
    /// status then: clients may repeat a call that was answered by a status alone (gRFC A6).
    pub(super) fn end(&mut self, outcome: Result<&Metadata, &Status>) {
        self.ended = true;
        if let (Response::Unsent(unsent), Err(status), 0) = (&self.response, outcome, self.waiting)
            && !unsent.has_own_headers
        {
            let head = write::trailers_only(status, &unsent.headers, &unsent.trailers);
            self.outbox.open().set_head(head, true);
        } else {
            self.open();
            let trailers = match &self.response {
                Response::Sent(Some(trailers)) => write::trailers(outcome, trailers),
                _ => write::trailers(outcome, &Metadata::new()),
            };
            self.outbox.open().set_trailers(trailers);
        }
        self.response = Response::None;
    }

    /// The sender is woken when fewer than `below` bytes wait, or none can be sent any more.
    pub(super) fn wait_to_send(&mut self, below: usize, cx: &Context<'_>) -> Option<Waker> {
        self.wake_below = below;
        set_waker(&mut self.sender, cx)
    }

    /// The sender, if it may go on.
    pub(super) fn ready_sender(&mut self) -> Option<Waker> {
        if self.waiting < self.wake_below {
            return self.sender.take();
        }
        None
    }

    /// All who wait, and somebody else.
    pub(super) fn take_wakers(&mut self, more: Option<Waker>) -> Wakers {
        Wakers {
            all: [
                self.sender.take(),
                self.receiver.take(),
                self.runner.take(),
                more,
            ],
        }
    }

    /// The same, for the driver, which wakes them with those of other streams.
    pub(super) fn wake_all(&mut self, wakers: &mut Vec<Waker>) {
        for place in [&mut self.sender, &mut self.receiver, &mut self.runner] {
            if let Some(waker) = place.take() {
                wakers.push(waker);
            }
        }
    }

    /// Server: what a reset, or the loss of the connection, means to the handler.
    pub(super) fn gone(&self) -> Option<Status> {
        let end = self.stop?;
        Some(failure::gone(&self.status_of(end, Stage::Request)))
    }

    /// What the stream's end means to its sender.
    fn sender_status(&self, end: End) -> Status {
        match end {
            End::Clean | End::Reset(Reason::NO_ERROR) => early_end("the peer ended the RPC early"),
            end if self.is_client => self.status_of(end, Stage::Request),
            // To a handler a client that is gone is one, however it went and whichever half learns of it.
            end => failure::gone(&self.status_of(end, Stage::Request)),
        }
    }

    pub(super) fn status_of(&self, end: End, stage: Stage) -> Status {
        let peer = self.link.peer();
        match end {
            End::Clean => early_end("the peer ended the RPC early"),
            End::Reset(reason) => reset_by_peer(reason.0, reason, peer, stage),
            End::LeftOut => left_out(self.link.goodbye(), peer, stage),
            End::Fault(_, TOO_MANY_INTERIM) => failure::too_many_interim(MAX_INTERIM, peer),
            End::Fault(reason, why) => fault(reason.0, reason, why, peer, stage),
            End::Lost => match self.link.cause() {
                Some(cause) if self.is_unprocessed => cut_off(cause, stage).with_unprocessed(true),
                Some(cause) => cut_off(cause, stage),
                None => unavailable("the connection is gone").with_stage(stage),
            },
        }
    }
}

/// Stores a task's waker, and gives what was there, to be dropped with no lock held.
pub(super) fn set_waker(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(old) if old.will_wake(cx.waker()) => None,
        place => place.replace(cx.waker().clone()),
    }
}
