//! What time brings, and the PINGs that tell it.

use std::time::Instant;

use super::super::frame::{Fatal, Reason, write};
use super::super::ping::Purpose;
use super::Core;
use crate::http2::keepalive::Action;

/// The text of the error that ends a connection whose peer does not answer.
pub(in super::super) const KEEPALIVE_TIMEOUT: &str = "keepalive_timeout";

/// The earlier one of two times, where there is one.
#[inline]
pub(in super::super) fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

impl Core {
    /// When [`tick`](Self::tick) is due.
    pub(in super::super) fn next_tick(&self) -> Option<Instant> {
        if self.leaving.is_closed() {
            return None;
        }
        let keepalive = self.keepalive.as_ref();
        let keepalive = keepalive.and_then(|policy| policy.wake_at());
        let ours = sooner(self.local.due(), self.leaving.wake_at());
        let streams = sooner(self.guard.wake_at(), self.stalls.wake_at());
        sooner(sooner(ours, streams), keepalive)
    }

    /// It is so late. An error ends the connection.
    pub(in super::super) fn tick(&mut self, now: Instant) -> Result<(), Fatal> {
        self.now = now;
        if self.leaving.is_closed() {
            return Ok(());
        }
        if self.local.due().is_some_and(|due| due <= now) {
            return Err(Fatal::new(
                Reason::SETTINGS_TIMEOUT,
                "SETTINGS were not acknowledged",
            ));
        }
        self.tick_drain();
        self.guard.tick(now)?;
        self.tick_stalls();
        self.tick_keepalive()
    }

    /// Whether the peer may have had too many PINGs of ours.
    pub(in super::super) const fn has_asked_for_life(&self) -> bool {
        self.pings.have_asked_for_life()
    }

    /// The same for PINGs that were to find out how large windows have to be.
    pub(in super::super) const fn has_measured(&self) -> bool {
        self.pings.have_measured()
    }

    fn tick_keepalive(&mut self) -> Result<(), Fatal> {
        let has_calls = self.open > 0;
        let Some(policy) = &mut self.keepalive else {
            return Ok(());
        };
        match policy.tick(self.now, has_calls) {
            Action::Wait => {}
            Action::Ping => {
                if let Some(data) = self.pings.ask(Purpose::Keepalive, self.now) {
                    write::ping(false, data, &mut self.control);
                }
            }
            Action::Close => return Err(Fatal::new(Reason::NO_ERROR, KEEPALIVE_TIMEOUT)),
        }
        Ok(())
    }

    /// A call begins: after a long silence its PING goes out before it.
    pub(super) fn wake_keepalive(&mut self) {
        if self
            .keepalive
            .as_ref()
            .is_some_and(|policy| policy.is_dormant())
        {
            // It has just been asked to ask: it cannot end the connection.
            let _ = self.tick_keepalive();
        }
    }

    pub(super) fn pong(&mut self, data: [u8; 8]) -> Result<(), Fatal> {
        let Some(acked) = self.pings.acked(data, self.now) else {
            return self.useless();
        };
        if let Some(policy) = &mut self.keepalive {
            policy.acknowledged(self.now);
        }
        if acked.purposes.drain {
            self.conclude();
        }
        if acked.purposes.measure {
            self.sampled(acked.round_trip);
        }
        Ok(())
    }
}
