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
use super::client::{Inner, NO_SETTINGS_YET, refresh, unavailable};
use super::error::{asks_for_calm, connection_error, io_error, keepalive_error, says_goodbye};
use super::io::{Coalesced, Flusher};
use super::link::{Link, Permit, Slots};
use super::pace::Pace;
use crate::http2::config::{connection_window, max_streams, stream_window};
use crate::http2::{ClientConfig, Keepalive};
use crate::{Timer, now};

/// What a peer that takes nothing any more is granted before the socket is dropped.
const GOODBYE: Duration = Duration::from_secs(1);

/// The task that owns the socket.
pub(super) struct Driver {
    connection: Connection<Coalesced, Bytes>,
    flusher: Flusher,
    pub(super) link: Arc<Link>,
    pub(super) slots: Arc<Slots>,
    pace: Pace,
    queue: Vec<Arc<Signal>>,
    pub(super) handle: Weak<Inner>,
    /// The connection's window at the least.
    window: u32,
    stream_window: u32,
    /// Permits of streams whose end h2 has been told, but the socket perhaps not yet.
    leaving: Vec<Permit>,
    /// How long the last words may take once nobody uses the connection any more.
    goodbye: Option<Timer>,
    alive: Option<Box<Alive>>,
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
            window: config.connection_window_bytes,
            stream_window: stream_window(config.stream_window_bytes),
            leaving: Vec::new(),
            goodbye: None,
            alive: None,
        }
    }

    /// From now on the peer is asked for signs of life, if that is wanted.
    pub(super) fn start_keepalive(&mut self, keepalive: &Keepalive) {
        if let Some(policy) = keepalive.policy(now()) {
            let handle = self.connection.ping_pong();
            self.alive = handle.map(|handle| Box::new(Alive::client(policy, handle)));
        }
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
                let why = io_error(&error, &self.link, Stage::Http2);
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
            match self.poll_alive(cx) {
                Liveness::Nothing => break,
                Liveness::Asked => self.link.set_pinged(),
                Liveness::Dead(timeout) => {
                    let why = keepalive_error(timeout, &self.link, Stage::Response);
                    return Poll::Ready(Some(why));
                }
            }
        }
        self.follow_limit();
        if self.slots.in_use() == 0 {
            self.flusher.shrink();
        }
        match self.flusher.poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                Poll::Ready(Some(io_error(&error, &self.link, Stage::Response)))
            }
            Poll::Ready(Ok(())) => {
                self.leaving.clear();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// A branch where there is no keepalive.
    fn poll_alive(&mut self, cx: &mut Context<'_>) -> Liveness {
        let Some(alive) = &mut self.alive else {
            return Liveness::Nothing;
        };
        let has_calls = self.slots.in_use() > 0;
        alive.poll(|| self.flusher.bytes_read(), || None, has_calls, cx)
    }

    /// Adopts the peer's stream limit as it is now, and opens the connection's window for it.
    pub(super) fn follow_limit(&mut self) {
        let peers = self.connection.max_concurrent_send_streams();
        let fit = usize::try_from(max_streams(self.stream_window)).unwrap_or(usize::MAX);
        let limit = peers.min(fit);
        if !self.slots.set_limit(limit) {
            return;
        }
        let window = connection_window(self.window, limit, self.stream_window);
        self.connection.set_target_window_size(window);
        if let Some(inner) = self.handle.upgrade()
            && let Some(handle) = inner.opener.lock().handle.as_mut()
        {
            // The last stream may have been the last of the new limit without our knowing.
            refresh(handle);
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
