//! A client's connection, as those who call over it hold it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{self, Handle, RuntimeFlavor};
use tokio::sync::Notify;
use trunkline_core::{Deadline, Status};

use super::forms::KnownForms;
use super::{RequestStream, ResponseStream};
use crate::http2::failure::unavailable;
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::Start;
use crate::http2::native::driver::ClientDriver;
use crate::http2::native::head::write;
use crate::http2::native::link::{Link, Opening, wake};
use crate::http2::slots::{Permit, Slots};
use crate::http2::{ClientConfig, RequestHead, Usage};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{BoxIo, Peer};

const CLOSED: &str = "the connection was closed by this side";

/// A client's HTTP/2 connection, shared by all who call over it.
#[derive(Clone, Debug)]
pub(crate) struct ClientConnection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    slots: Arc<Slots>,
    https: bool,
    forms: KnownForms,
    opened: AtomicU64,
    /// Where the driver runs.
    runtime: runtime::Id,
}

impl Drop for Inner {
    /// Nobody can open anything any more.
    fn drop(&mut self) {
        self.link.let_go();
    }
}

impl ClientConnection {
    /// Agrees on HTTP/2 with the peer and starts the task that drives the connection.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub(crate) async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ClientConfig,
        freed: Arc<Notify>,
    ) -> Result<Self, Status> {
        let https = peer.security().tls().is_some();
        let slots = Slots::new(0, freed);
        let window = config.window().first();
        let link = Link::new(peer, window, Some(config.compression.clone()));
        let mut driver = ClientDriver::new(io, Arc::clone(&link), Arc::clone(&slots), config);
        let settled = std::future::poll_fn(|cx| driver.poll_settled(cx)).await;
        // A failure is told at once, the last words to the peer take their time.
        tokio::spawn(driver);
        settled.map_err(|why| why.with_unprocessed(true))?;
        Ok(Self(Arc::new(Inner {
            link,
            slots,
            https,
            forms: KnownForms::default(),
            opened: AtomicU64::new(0),
            runtime: Handle::current().id(),
        })))
    }

    /// Takes the right to open a stream; `None` at the peer's limit or when nothing more can be
    /// opened here.
    pub(crate) fn try_permit(&self) -> Option<Permit> {
        if !self.is_open() {
            return None;
        }
        self.0.slots.try_take()
    }

    /// How many streams are open, and how many may be.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            in_use: self.0.slots.in_use(),
            limit: self.0.slots.limit(),
        }
    }

    /// False once the connection is lost, closing, or the peer was found to be going away.
    pub(crate) fn is_open(&self) -> bool {
        self.0.link.is_open()
    }

    /// The other end.
    pub(crate) fn peer(&self) -> &Peer {
        self.0.link.peer()
    }

    /// Waits until nothing more can be opened here, and says why. Cancel safe.
    pub(crate) async fn closed(&self) -> Status {
        self.0.link.down().await
    }

    /// True once the peer has closed the connection with GOAWAY ENHANCE_YOUR_CALM after keepalive
    /// had sent PINGs: they came too often for it (gRFC A8), or something else was too much.
    pub(crate) fn pings_too_often(&self) -> bool {
        self.0.link.pings_too_often()
    }

    /// True once the peer has ended the connection with GOAWAY NO_ERROR: it is being restarted
    /// perhaps, or balances load, and has nothing against another connection.
    pub(crate) fn said_goodbye(&self) -> bool {
        self.0.link.said_goodbye()
    }

    /// Opens nothing more; the socket closes when the last open stream has ended.
    pub(crate) fn close(&self) {
        self.0.link.drain(unavailable(CLOSED));
        self.0.link.let_go();
    }

    /// Ends the connection now, for this reason: what is open on it fails with it.
    pub(crate) fn abort(&self, why: Status) {
        self.0.link.abort(why);
    }

    /// Waits until the connection is gone, with everything that was open on it. Cancel safe.
    pub(crate) async fn ended(&self) -> Status {
        self.0.link.ended().await
    }

    /// How many streams were opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::Relaxed)
    }

    /// Starts a call whose request is one message: HEADERS, DATA with END_STREAM.
    ///
    /// # Errors
    /// Always surely unprocessed: the call may go to another connection at once.
    pub(crate) fn start_single(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        frame: Bytes,
        max_receive_bytes: usize,
        deadline: Option<Deadline>,
    ) -> Result<ResponseStream, Status> {
        // Nobody waits for the way of its one message.
        let cell = StreamCell::client(Arc::clone(&self.0.link), 0, true);
        let deadline = deadline.filter(|_| self.is_driven_here());
        self.open(permit, head, (frame, true), &cell, true, deadline)?;
        let link = Arc::clone(&self.0.link);
        let responses = ResponseStream::new(cell, link, true, max_receive_bytes);
        Ok(responses.timed(deadline.is_some()))
    }

    /// True on the driver's own runtime, if that has one thread. The timers of another may run when the driver does
    /// not; on several threads so may the timers of this one: a task that has called and then blocks its thread keeps
    /// the driver that it woke.
    fn is_driven_here(&self) -> bool {
        Handle::try_current().is_ok_and(|here| {
            here.runtime_flavor() == RuntimeFlavor::CurrentThread && here.id() == self.0.runtime
        })
    }

    /// Starts a call whose requests follow one by one: HEADERS.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub(crate) fn start_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        max_receive_bytes: usize,
    ) -> Result<(RequestStream, ResponseStream), Status> {
        let cell = StreamCell::client(Arc::clone(&self.0.link), 0, false);
        self.open(permit, head, (Bytes::new(), false), &cell, false, None)?;
        let link = Arc::clone(&self.0.link);
        let requests = RequestStream::new(Arc::clone(&cell));
        let responses = ResponseStream::new(cell, link, false, max_receive_bytes);
        Ok((requests, responses))
    }

    /// Starts a call again that [`start_streaming`](Self::start_streaming) has started elsewhere
    /// and that was surely not processed there. Its halves stay what they are.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub(crate) fn restart_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        responses: &mut ResponseStream,
    ) -> Result<(), Status> {
        if let Some(why) = self.0.link.refusal() {
            return Err(why.clone().with_unprocessed(true));
        }
        let cell = Arc::clone(responses.cell());
        let Some((data, end)) = cell.restart(&self.0.link) else {
            // Ended by this side meanwhile, which both halves know.
            return Ok(());
        };
        responses.restarted(&self.0.link);
        let opened = self.open(permit, head, (data, end), &cell, false, None);
        if let Err(why) = &opened {
            // What was kept is gone: the call fails with why.
            cell.abort(why.clone());
        }
        Ok(())
    }

    /// Opens a stream with this data; true with it if that is all. Its reader is woken at `deadline`.
    fn open(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        (data, end): (Bytes, bool),
        cell: &Arc<StreamCell>,
        is_single: bool,
        deadline: Option<Deadline>,
    ) -> Result<(), Status> {
        let form = self.0.forms.form(head, self.0.https)?;
        let extra = write::request_extra(head);
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        let started = self.0.link.start(Opening {
            cell: Arc::clone(cell),
            permit,
            start: Start {
                form,
                extra,
                data,
                end,
                has_deadline: head.timeout.is_some(),
            },
            has_sender: !is_single,
            deadline: deadline.map(Deadline::instant),
        });
        match started {
            Ok(driver) => {
                wake(driver);
                Ok(())
            }
            Err(opening) => {
                drop(opening);
                let refusal = self.0.link.refusal().cloned();
                let why = refusal.unwrap_or_else(|| unavailable(CLOSED));
                Err(why.with_unprocessed(true))
            }
        }
    }
}
