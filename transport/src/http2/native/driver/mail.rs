//! What the streams' tasks want.

use super::closing::Death;
use super::{Driver, Slot};
use crate::http2::native::cell::Begun;
use crate::http2::native::link::Opening;

/// Turns for which messages wait for more of their kind: enough that what they are written for, the
/// system call and the wake-up of the peer, is shared by some hundred of them.
const MOST_WAITS: u8 = 3;

impl Driver {
    /// Empties the mailbox into the machine, unless all that is in it are messages of which many
    /// more are about to follow. Those wait a moment, while their senders go on.
    pub(super) fn take_mail_in_time(&mut self) {
        let may_wait = self.waits_for_more && self.waited < MOST_WAITS;
        if self.link.take_in_time(&mut self.mail, may_wait) {
            self.waited = 0;
            self.use_mail();
        } else {
            self.waited += 1;
            self.goes_on = true;
        }
    }

    /// Empties the mailbox into the machine.
    pub(super) fn take_mail(&mut self) {
        self.link.take(&mut self.mail);
        self.use_mail();
    }

    fn use_mail(&mut self) {
        let mut mail = std::mem::take(&mut self.mail);
        if !mail.starts.is_empty() {
            for opening in mail.starts.drain(..) {
                self.start(opening);
            }
        }
        for cell in mail.streams.drain(..) {
            let Some((key, mut outbox)) = cell.collect(&self.link) else {
                continue;
            };
            let Some(outbox) = outbox.get_mut() else {
                continue;
            };
            if outbox.is_reset() {
                self.forsake(key);
            }
            let (core, now) = (&mut self.core, self.now);
            outbox.drain(|order| core.order(key, order, now));
        }
        self.is_let_go |= std::mem::take(&mut mail.let_go);
        if let Some(why) = mail.abort.take() {
            self.death.get_or_insert(Death::Aborted(why));
        }
        let shed = std::mem::take(&mut mail.shed);
        self.mail = mail;
        if shed {
            self.shed();
        }
    }

    fn start(&mut self, opening: Opening) {
        let Opening {
            cell,
            permit,
            start,
            has_sender,
            deadline,
        } = opening;
        let (core, now) = (&mut self.core, self.now);
        match cell.begin(|| core.start(start, now), &mut self.wakers) {
            Begun::Yes(key) => self.insert(Slot {
                key,
                cell,
                permit: Some(permit),
                is_forsaken: false,
                has_sender,
                deadline,
            }),
            // The permit comes back.
            Begun::Dropped | Begun::Refused => {}
        }
    }

    /// Nobody waits for this stream any more.
    fn forsake(&mut self, key: crate::http2::native::connection::StreamKey) {
        let Some(slot) = self.slot(key) else {
            return;
        };
        if !std::mem::replace(&mut slot.is_forsaken, true) {
            self.forsaken += 1;
        }
    }
}
