//! A server's connection, driven by whoever wants its streams.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use trunkline_core::Status;

use super::client::max_block;
use super::{Driver, Parts, Turn};
use crate::http2::ServerConfig;
use crate::http2::config::{connection_window, max_frame};
use crate::http2::failure::unavailable;
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::{Config, Control, Core, Role};
use crate::http2::native::frame::{Reader, Reason};
use crate::http2::native::head::Request;
use crate::http2::native::link::Link;
use crate::http2::native::strikes::Strikes;
use crate::http2::pace::{Pace, Recent};
use crate::{BoxIo, Peer, now};

/// Said to clients whose connection ends before its streams.
const STOPPED: &str = "graceful_stop";

/// A stream that a client has opened, with its head.
type Next = Result<Option<(Arc<StreamCell>, Request)>, Status>;

/// A server's connection.
pub(in super::super) struct ServerDriver {
    pub(super) driver: Driver,
    pace: Pace,
    recent: Recent,
    /// Streams yielded since the last sleep.
    started: usize,
    is_over: bool,
}

impl ServerDriver {
    pub(in super::super) fn new(io: BoxIo, peer: Peer, config: &ServerConfig) -> Self {
        let (window, streams) = (config.window().first(), config.streams());
        let max_frame = max_frame(config.max_frame_bytes);
        let keepalive = &config.keepalive;
        let bdp = config.window().policy();
        let lease = bdp.is_some().then(|| config.growth());
        let core = Config {
            role: Role::Server,
            initial_stream_window: window,
            connection_window: connection_window(config.connection_window_bytes, streams, window),
            max_frame,
            max_header_list: config.max_header_list_bytes,
            max_streams: u32::try_from(streams).unwrap_or(u32::MAX),
            bdp,
            lease,
            keepalive: keepalive.policy(now()),
            strikes: Some(Strikes::new(
                keepalive.permit_time,
                keepalive.permit_without_calls,
            )),
            limits: config.defence.clone(),
            stream_stall: config.stream_stall_timeout,
        };
        let mut reader = Reader::new(max_frame, max_block(config.max_header_list_bytes));
        reader.expect_preface();
        let link = Link::new(peer, window, None);
        let told = Arc::clone(&link);
        let mut driver = Driver::new(Parts {
            io,
            reader,
            core: Core::new(core, now()),
            link,
            holder: Some(config.holder(now(), move || told.shed())),
            role: Role::Server,
            slots: None,
            write_timeout: config.write_timeout,
            keepalive_timeout: config.keepalive.timeout,
        });
        driver.spare();
        Self {
            driver,
            pace: Pace::new(),
            recent: Recent::new(),
            started: 0,
            is_over: false,
        }
    }

    /// Drives the connection until the client's preface and SETTINGS have arrived.
    pub(in super::super) fn poll_settled(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        loop {
            match ready!(self.driver.poll_turn(cx)) {
                Turn::Settled => break,
                // SETTINGS come first.
                Turn::Accepted(..) => {}
                Turn::Ended(why) => {
                    let cause = || self.driver.link.cause().cloned();
                    let gone = || unavailable("the connection is gone");
                    return Poll::Ready(Err(why.or_else(cause).unwrap_or_else(gone)));
                }
            }
        }
        // Perhaps another task drives it from now on, which the socket does not know yet.
        self.driver.goes_on = true;
        Poll::Ready(Ok(()))
    }

    /// The next stream; none once the connection has ended in order.
    ///
    /// # Errors
    /// Why it has ended otherwise.
    pub(in super::super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if self.is_over {
            return Poll::Ready(Ok(None));
        }
        if self.driver.is_resting() {
            let was_awake = self.pace.is_awake();
            let (driver, recent) = (&self.driver, &mut self.recent);
            let expects_more = || recent.expects_more(driver.running());
            ready!(self.pace.poll_turn(expects_more, cx));
            if !was_awake && self.pace.steps_back() {
                self.recent.begin(self.driver.running());
            }
        }
        loop {
            match self.driver.poll_turn(cx) {
                Poll::Ready(Turn::Settled) => {}
                Poll::Ready(Turn::Accepted(cell, head)) => {
                    self.started += 1;
                    return Poll::Ready(Ok(Some((cell, head))));
                }
                Poll::Ready(Turn::Ended(why)) => {
                    self.is_over = true;
                    return Poll::Ready(why.map_or(Ok(None), Err));
                }
                Poll::Pending => break,
            }
        }
        if self.pace.steps_back() {
            self.recent.end(self.driver.running());
        }
        match std::mem::take(&mut self.started) {
            1 => self.pace.sleep_beside_one(cx),
            _ => self.pace.sleep(),
        }
        Poll::Pending
    }

    pub(in super::super) fn graceful_shutdown(&mut self, why: &'static str) {
        self.control(Control::Drain(why));
    }

    pub(in super::super) fn refuse_new(&mut self) {
        self.control(Control::RefuseNew);
    }

    pub(in super::super) fn abrupt_shutdown(&mut self) {
        self.control(Control::Close(Reason::NO_ERROR, STOPPED));
    }

    fn control(&mut self, control: Control) {
        self.driver.core.control(control, now());
    }

    /// Streams, or answers that their clients have not taken yet.
    pub(in super::super) fn has_streams(&self) -> bool {
        self.driver.core.open() > 0 || self.driver.is_leaving()
    }

    pub(in super::super) const fn at_rest(&self) -> bool {
        !self.driver.was_active
    }

    /// Why this side has hung up on its client, if it has.
    pub(in super::super) fn breach(&self) -> Option<&str> {
        self.driver.breach
    }

    pub(in super::super) fn peer(&self) -> &Peer {
        self.driver.link.peer()
    }
}
