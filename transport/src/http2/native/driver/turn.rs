//! One turn of a driver.
//!
//! 1. Read until nothing is left, or enough; what came goes into the machine.
//! 2. Time passes.
//! 3. The mailbox is emptied; what the streams' tasks want goes into the machine.
//!    On a runtime of one thread messages of which many more are about to follow lie there for a
//!    few turns, unless something else comes: the more leave together, the less each costs.
//! 4. What has happened is handed over, then all who wait for it are woken: permits first.
//! 5. What is to be written is placed and written, by one system call where it fits. What that
//!    makes room for is told.
//! 6. Mail has come meanwhile: again from 3. Otherwise sleep.

use std::task::{Context, Poll, ready};

use super::closing::Death;
use super::{Driver, IDLE, Turn};
use crate::http2::held::Holder;
use crate::http2::native::cell::Outbox;
use crate::http2::native::connection::{Core, Parts, Role, sooner};
use crate::http2::native::lent;
use crate::http2::native::out::Out;
use crate::http2::native::stream::Unsent;
use crate::now;

/// How often mail that comes while the driver runs keeps it from looking at the socket.
const MAX_ROUNDS: u8 = 4;

/// Where a driver is in its turn: it may be left in the middle for a stream that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Begin,
    Mail,
    Deliver,
    Write,
    Told,
    Closing,
    Over,
}

impl Driver {
    /// Drives the connection until something is to be told.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        loop {
            match self.stage {
                Stage::Begin => {
                    self.begin(cx);
                    self.stage = Stage::Mail;
                }
                Stage::Mail => {
                    self.take_mail_in_time();
                    self.core.events(&mut self.events);
                    self.note_goodbye();
                    self.stage = Stage::Deliver;
                }
                Stage::Deliver => {
                    if let Some(turn) = self.deliver() {
                        return Poll::Ready(turn);
                    }
                    self.stage = Stage::Write;
                }
                Stage::Write => {
                    self.write_or_die(cx);
                    self.hold();
                    self.core.events(&mut self.events);
                    self.stage = Stage::Told;
                }
                Stage::Told => {
                    if let Some(turn) = self.deliver() {
                        return Poll::Ready(turn);
                    }
                    ready!(self.poll_end(cx));
                }
                Stage::Closing => {
                    let turn = ready!(self.poll_closing(cx));
                    self.stage = Stage::Over;
                    return Poll::Ready(turn);
                }
                Stage::Over => return Poll::Ready(Turn::Ended(None)),
            }
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        self.now = now();
        self.rounds = 0;
        self.goes_on = false;
        if self.death.is_none()
            && let Err(death) = self.read(cx).and_then(|()| self.tick())
        {
            self.death = Some(death);
        }
        // All that had come is read.
        if !self.goes_on
            && self.death.is_none()
            && let Some(error) = self.unwritten.take()
        {
            self.death = Some(Death::Unwritten(error));
        }
    }

    fn tick(&mut self) -> Result<(), Death> {
        if self.core.next_tick().is_some_and(|at| at <= self.now) {
            self.core.tick(self.now)?;
        }
        self.stall.tick(self.now)?;
        if self.soonest.is_some_and(|at| at <= self.now) {
            self.expire_late();
        }
        if self.idle_at.is_some_and(|at| at <= self.now) {
            self.shrink();
        }
        Ok(())
    }

    fn write_or_die(&mut self, cx: &mut Context<'_>) {
        if self.death.is_some() || self.unwritten.is_some() {
            return;
        }
        match self.write(cx) {
            Ok(()) => {}
            // A server that has answered and left may have closed its socket to what is owed for the answers: they
            // are here, and not read yet.
            Err(Death::Unwritten(error)) if self.role == Role::Client => {
                self.unwritten = Some(error);
                self.goes_on = true;
            }
            Err(death) => self.death = Some(death),
        }
    }

    /// The end of a turn: the end of the connection, another round, or sleep.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(death) = self.death.take() {
            self.die(&death);
            return Poll::Ready(());
        }
        if self.is_let_go && self.core.open() == 0 && !self.core.is_done() {
            self.say_goodbye();
            self.stage = Stage::Mail;
            return Poll::Ready(());
        }
        if self.core.is_done() {
            if !self.owes_answers() {
                self.close_in_order();
                return Poll::Ready(());
            }
            self.has_owed = true;
        }
        self.core.release();
        if self.is_congested && !self.core.is_congested() {
            self.goes_on = true;
        }
        if self.goes_on || self.rounds == MAX_ROUNDS {
            cx.waker().wake_by_ref();
        } else if !self.link.park(cx.waker()) {
            self.rounds += 1;
            self.stage = Stage::Mail;
            return Poll::Ready(());
        }
        self.stage = Stage::Begin;
        self.watch_goodbye();
        self.spare_watch.poll(cx);
        let at = self.next_tick();
        if self.alarm.poll(at, cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Server: all streams are over for the machine, but not for their clients, which may be slow: what was answered in
    /// full waits for the socket, as long as anything may.
    pub(super) fn owes_answers(&self) -> bool {
        let has_more = !self.out.is_empty() || self.is_flushing;
        has_more && self.role == Role::Server && !self.core.is_closed()
    }

    fn next_tick(&mut self) -> Option<std::time::Instant> {
        if self.idle_at.is_none() && self.was_active && self.has_buffers() {
            self.idle_at = self.now.checked_add(IDLE);
        }
        let goodbye = self.goodbye.map(|goodbye| goodbye.until);
        let time = sooner(self.core.next_tick(), self.stall.wake_at());
        sooner(sooner(time, self.idle_at), sooner(goodbye, self.soonest))
    }

    /// Something that may be given back when nobody needs it.
    fn has_buffers(&self) -> bool {
        let leases = self.holder.as_ref().is_some_and(Holder::is_leasing);
        self.reader.can_shrink() || self.out.can_shrink() || self.streams.capacity() > 0 || leases
    }

    /// Gives back what was not used for a while.
    fn shrink(&mut self) {
        self.idle_at = None;
        let due = self.active_at.checked_add(IDLE);
        if due.is_some_and(|due| due > self.now) {
            self.idle_at = due;
            return;
        }
        // Until something happens again there is nothing more to give.
        self.was_active = false;
        self.reader.shrink();
        lent::release::<Parts>();
        lent::release::<Outbox>();
        lent::release::<Unsent>();
        Out::release();
        Core::release_heads();
        self.rest();
        self.core.shrink();
        self.out.shrink();
        // Those that were told of are gone, and the others stay where they are.
        while self.streams.pop_if(|slot| slot.is_none()).is_some() {}
        self.streams.shrink_to_fit();
        self.events.shrink_to_fit();
        self.wakers.shrink_to_fit();
        self.mail.shrink();
        self.link.shrink();
    }
}
