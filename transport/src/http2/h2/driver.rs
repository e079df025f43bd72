//! The task that drives a client's connection and owns its socket.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::Connection;
use trunkline_core::{Deadline, Stage, Status};

use super::alive::{Alive, Liveness};
use super::cell::Signal;
use super::client::{Inner, NO_SETTINGS_YET, refresh};
use super::error::{asks_for_calm, connection_error, says_goodbye};
use super::growth::{Answer, Growth, Pings, Step};
use super::io::{Coalesced, Flusher};
use super::link::Link;
use crate::http2::ClientConfig;
use crate::http2::failure::{io_error, keepalive_error, unavailable};
use crate::http2::pace::Pace;
use crate::http2::room::Room;
use crate::http2::slots::{Permit, Slots};
use crate::http2::spare::SpareWatch;
use crate::{Timer, now};

/// What a peer that takes nothing any more is granted before the socket is dropped.
const GOODBYE: Duration = Duration::from_secs(1);

/// Streams that grown windows leave room for at least: 2 GiB hold 256 of 8 MiB.
const ROOM_FOR: usize = 255;

/// The task that owns the socket.
pub(super) struct Driver {
    connection: Connection<Coalesced, Bytes>,
    flusher: Flusher,
    pub(super) link: Arc<Link>,
    pub(super) slots: Arc<Slots>,
    pace: Pace,
    queue: Vec<Arc<Signal>>,
    pub(super) handle: Weak<Inner>,
    room: Room,
    pings: Pings,
    /// Only where the streams' window may grow.
    growth: Option<Box<Growth>>,
    /// Permits of streams whose end h2 has been told, but the socket perhaps not yet.
    leaving: Vec<Permit>,
    /// How long the last words may take once nobody uses the connection any more.
    goodbye: Option<Timer>,
    alive: Option<Box<Alive>>,
    spare_watch: SpareWatch,
}

impl Driver {
    pub(super) fn new(
        connection: Connection<Coalesced, Bytes>,
        flusher: Flusher,
        link: Arc<Link>,
        slots: Arc<Slots>,
        config: &ClientConfig,
    ) -> Self {
        Self {
            connection,
            flusher,
            link,
            slots,
            pace: Pace::new(),
            queue: Vec::new(),
            handle: Weak::new(),
            room: Room::new(
                config.connection_window_bytes,
                config.window().first(),
                None,
            ),
            pings: Pings::default(),
            growth: None,
            leaving: Vec::new(),
            goodbye: None,
            alive: None,
            spare_watch: SpareWatch::new(),
        }
    }

    /// The connection is ready: from now on the peer is asked for signs of life, and the streams'
    /// window is measured, if that is wanted.
    pub(super) fn start(&mut self, config: &ClientConfig) {
        self.follow_limit();
        if let Some(policy) = config.keepalive.policy(now()) {
            self.alive = Some(Box::new(Alive::client(policy)));
        }
        let gauge = self.link.gauge();
        let bdp = config.window().policy();
        self.growth = bdp.map(|bdp| Box::new(Growth::new(bdp, gauge)));
    }

    /// Drives the connection until the peer's SETTINGS have arrived.
    pub(super) fn poll_settings(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let polled = Pin::new(&mut self.connection).poll(cx);
        let peer = self.link.peer().address();
        if let Poll::Ready(ended) = polled {
            let why = match ended {
                Ok(()) => unavailable("closed before it sent its HTTP/2 settings")
                    .context(format_args!("connection to {peer}"))
                    .with_stage(Stage::Http2),
                Err(error) => connection_error(&error, &self.link, Stage::Http2),
            };
            return Poll::Ready(Err(self.flusher.explain_server(why, self.link.peer())));
        }
        if self.connection.max_concurrent_send_streams() != NO_SETTINGS_YET {
            return Poll::Ready(Ok(()));
        }
        match self.flusher.poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                let why = io_error(&error, self.link.peer(), Stage::Http2);
                Poll::Ready(Err(self.flusher.explain_server(why, self.link.peer())))
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        self.link.set_driver(cx.waker());
        if let Some(why) = self.link.aborted() {
            return Poll::Ready(Some(why.clone()));
        }
        self.link.take_retired(&mut self.leaving);
        loop {
            self.link.drive_streams(&mut self.queue);
            match Pin::new(&mut self.connection).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(None),
                Poll::Ready(Err(error)) if is_clean_end(&error) => {
                    if says_goodbye(&error) {
                        self.link.set_goodbye();
                    }
                    return Poll::Ready(None);
                }
                Poll::Ready(Err(error)) => {
                    if asks_for_calm(&error) {
                        self.link.set_too_much();
                    }
                    let why = connection_error(&error, &self.link, Stage::Response);
                    return Poll::Ready(Some(why));
                }
                Poll::Pending => {}
            }
            // Window that has just arrived may let a waiting stream go on.
            if self.link.is_dirty() {
                continue;
            }
            match self.poll_pings(cx) {
                Liveness::Nothing => break,
                Liveness::Changed => {}
                Liveness::Asked => self.link.set_pinged(),
                Liveness::Dead(timeout) => {
                    let why = keepalive_error(timeout, self.link.peer(), Stage::Response);
                    return Poll::Ready(Some(why));
                }
            }
        }
        self.follow_limit();
        if self.slots.in_use() == 0 {
            self.flusher.shrink();
        }
        self.spare_watch.poll(cx);
        match self.flusher.poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                Poll::Ready(Some(io_error(&error, self.link.peer(), Stage::Response)))
            }
            Poll::Ready(Ok(())) => {
                self.leaving.clear();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Two looks and a branch where there is neither a PING nor keepalive.
    #[inline]
    fn poll_pings(&mut self, cx: &mut Context<'_>) -> Liveness {
        let is_measuring = self.pings.in_flight() || self.link.gauge().is_due();
        if !is_measuring && self.alive.is_none() {
            return Liveness::Nothing;
        }
        self.poll_closer(cx)
    }

    fn poll_closer(&mut self, cx: &mut Context<'_>) -> Liveness {
        let answer = self.pings.poll_answer(cx);
        let changed = self.poll_growth(answer);
        let mut liveness = Liveness::Nothing;
        if let Some(alive) = &mut self.alive {
            let has_calls = self.slots.in_use() > 0;
            let read = || self.flusher.bytes_read();
            let handle = || self.connection.ping_pong();
            liveness = alive.poll(&mut self.pings, answer, read, handle, has_calls, cx);
        }
        liveness.or_changed(changed)
    }

    /// True if there is something for h2 to write.
    fn poll_growth(&mut self, answer: Option<Answer>) -> bool {
        let Some(growth) = &mut self.growth else {
            return false;
        };
        let handle = || self.connection.ping_pong();
        match growth.step(self.link.gauge(), &mut self.pings, answer, handle) {
            Step::Nothing => false,
            Step::Asked => true,
            Step::Wish(wish) => {
                let granted = self.grow(wish);
                if let Some(growth) = &mut self.growth {
                    growth.settle(granted, self.link.gauge());
                }
                granted.is_some()
            }
        }
    }

    /// Grows the streams' window as far as the connection's can follow, with room for several
    /// times the streams that are open now. From then on fewer may be open, which is for this side
    /// to say.
    fn grow(&mut self, wish: u32) -> Option<u32> {
        let peers = self.connection.max_concurrent_send_streams();
        let some = self.slots.in_use().saturating_mul(4).max(ROOM_FOR);
        let streams = peers.min(some).min(self.slots.limit());
        // Refused while earlier SETTINGS are not yet acknowledged.
        let set = |window| self.connection.set_initial_window_size(window).is_ok();
        let granted = self.room.grow(wish, streams, set)?;
        self.follow_limit();
        self.widen();
        Some(granted)
    }

    /// Adopts the peer's stream limit as it is now, and opens the connection's window for it.
    fn follow_limit(&mut self) {
        let peers = self.connection.max_concurrent_send_streams();
        let limit = peers.min(self.room.max_streams());
        if !self.slots.set_limit(limit) {
            return;
        }
        self.widen();
        if let Some(inner) = self.handle.upgrade()
            && let Some(handle) = inner.opener.lock().handle.as_mut()
        {
            // The last stream may have been the last of the new limit without our knowing.
            refresh(handle);
        }
    }

    /// Opens the connection's window for all streams that there may be.
    fn widen(&mut self) {
        if let Some(window) = self.room.widen(self.slots.limit()) {
            self.connection.set_target_window_size(window);
        }
    }

    /// Ready when nobody uses the connection any more and the peer does not take our last words.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let live = self.slots.in_use().saturating_sub(self.leaving.len());
        let unused = self.handle.strong_count() == 0 || !self.link.is_open();
        if live > 0 || !unused {
            self.goodbye = None;
            return Poll::Pending;
        }
        let closing = || Timer::new(Some(Deadline::after(now(), GOODBYE)));
        self.goodbye.get_or_insert_with(closing).poll_expired(cx)
    }

    /// How h2 came to end well: let go of by us, after GOAWAY, or by a FIN between two frames.
    fn clean_end(&self) -> Status {
        let peer = self.link.peer().address();
        let text = |text| unavailable(text).context(format_args!("connection to {peer}"));
        if !self.link.is_open() {
            return text("closed by this side");
        }
        let Some(inner) = self.handle.upgrade() else {
            return text("closed by this side");
        };
        let mut opener = inner.opener.lock();
        let ready = opener
            .handle
            .as_mut()
            .map(|handle| handle.poll_ready(&mut Context::from_waker(Waker::noop())));
        match ready {
            Some(Poll::Ready(Err(error))) => {
                if says_goodbye(&error) {
                    self.link.set_goodbye();
                }
                connection_error(&error, &self.link, Stage::Response).with_unprocessed(true)
            }
            _ => text("closed by the server"),
        }
    }
}

impl Drop for Driver {
    /// However the driver ends, a panic or its runtime's end included: whoever waits must learn.
    fn drop(&mut self) {
        self.link
            .close(unavailable("the connection's task has ended"));
        self.leaving.clear();
        self.slots.wake_all();
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // Callers whose answers came together make their next calls together.
        ready!(this.pace.poll_turn(|| this.slots.in_use() > 1, cx));
        this.pace.sleep();
        let why = match this.poll_connection(cx) {
            Poll::Ready(why) => why.unwrap_or_else(|| this.clean_end()),
            Poll::Pending => {
                ready!(this.poll_goodbye(cx));
                unavailable("closed by this side; the peer did not take the last words")
            }
        };
        this.link.close(why);
        this.slots.wake_all();
        Poll::Ready(())
    }
}

/// The peer closed with GOAWAY NO_ERROR.
fn is_clean_end(error: &h2::Error) -> bool {
    error.is_go_away() && error.reason() == Some(Reason::NO_ERROR)
}
