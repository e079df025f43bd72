//! The task that drives a client's connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use trunkline_core::Status;

use super::{Driver, Parts, Turn};
use crate::http2::ClientConfig;
use crate::http2::config::{connection_window, max_frame};
use crate::http2::failure::unavailable;
use crate::http2::native::connection::{Config, Core, Role};
use crate::http2::native::frame::Reader;
use crate::http2::native::link::Link;
use crate::http2::pace::Pace;
use crate::http2::slots::Slots;
use crate::{BoxIo, now};

/// Octets of a header block per octet of the list that it may hold.
const BLOCK_PER_LIST: usize = 4;

/// A client's connection, which ends by itself.
pub(in super::super) struct ClientDriver {
    driver: Driver,
    slots: Arc<Slots>,
    pace: Pace,
}

impl ClientDriver {
    pub(in super::super) fn new(
        io: BoxIo,
        link: Arc<Link>,
        slots: Arc<Slots>,
        config: &ClientConfig,
    ) -> Self {
        let max_frame = max_frame(config.max_frame_bytes);
        let core = Config {
            role: Role::Client,
            initial_stream_window: config.window().first(),
            connection_window: connection_window(config.connection_window_bytes, 0, 0),
            max_frame,
            max_header_list: config.max_header_list_bytes,
            max_streams: 0,
            bdp: config.window().policy(),
            lease: None,
            keepalive: config.keepalive.policy(now()),
            strikes: None,
            limits: config.defence.clone(),
            stream_stall: config.stream_stall_timeout,
        };
        let driver = Driver::new(Parts {
            io,
            reader: Reader::new(max_frame, max_block(config.max_header_list_bytes)),
            core: Core::new(core, now()),
            link,
            role: Role::Client,
            slots: Some(Arc::clone(&slots)),
            write_timeout: config.write_timeout,
            holder: None,
            keepalive_timeout: config.keepalive.timeout,
        });
        Self {
            driver,
            slots,
            pace: Pace::new(),
        }
    }

    /// Drives the connection until the peer's SETTINGS have arrived, or it has failed: what is to be said then is said
    /// by whoever goes on to drive it.
    pub(in super::super) fn poll_settled(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        loop {
            match self.driver.poll_turn(cx) {
                Poll::Ready(Turn::Settled | Turn::Accepted(..)) => {}
                Poll::Ready(Turn::Ended(_)) => {
                    let gone = || unavailable("the connection is gone");
                    let why = self.driver.link.cause().cloned();
                    return Poll::Ready(Err(why.unwrap_or_else(gone)));
                }
                Poll::Pending => match self.driver.link.cause() {
                    Some(why) => return Poll::Ready(Err(why.clone())),
                    // The turn is over: its answer to the SETTINGS is out.
                    None if self.driver.is_settled => break,
                    None => return Poll::Pending,
                },
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Future for ClientDriver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.driver.is_resting() {
            // Callers whose answers came together make their next calls together.
            ready!(this.pace.poll_turn(|| this.slots.in_use() > 1, cx));
            this.pace.sleep();
        }
        loop {
            match ready!(this.driver.poll_turn(cx)) {
                Turn::Settled | Turn::Accepted(..) => {}
                Turn::Ended(_) => return Poll::Ready(()),
            }
        }
    }
}

/// Octets that a header block may have as it comes.
pub(super) fn max_block(max_header_list: u32) -> usize {
    usize::try_from(max_header_list)
        .unwrap_or(usize::MAX)
        .saturating_mul(BLOCK_PER_LIST)
}
