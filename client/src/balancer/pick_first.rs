//! `pick_first`: all calls go to the first address that answers.
//!
//! 1. IDLE until a call wants a connection; then a *pass* tries the addresses, as
//!    [`happy_eyeballs`](super::happy_eyeballs) says: the next one early where one is slow.
//! 2. The first that gets READY is selected; attempts at the others are dropped. What they know of
//!    their backoff is kept until the selected one has proven itself.
//! 3. When all have failed, calls fail with every address's own cause (transient failure). From
//!    then on each address is tried again as its backoff ends, and calls go on failing until one
//!    is READY: flapping between "connecting" and "failed" would make fail-fast calls wait.
//! 4. When the selected one loses its connection, back to IDLE: the next call starts a new pass,
//!    from the first address again. Where it is lost so soon that it counts as a failed attempt,
//!    the pass goes on instead, and fails once all addresses back off.
//!
//! Names are asked for again whenever something failed; how often that is answered is the
//! resolver's decision.

use std::fmt::Write as _;
use std::time::Duration;

use trunkline_core::{Attempt, Code, Stage, Status};
use trunkline_transport::Address;

use super::cause::Cause;
use super::happy_eyeballs::{AttemptDelay, Pass, Standing, Step, interleave};
use crate::subchannel::SubchannelId;

/// What the owner has to do after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create(SubchannelId, Address),
    Connect(SubchannelId),
    Drop(SubchannelId),
    Resolve,
    /// Call [`PickFirst::timer`] after this time; an earlier request is replaced.
    Timer(Duration),
}

/// What happened to a subchannel.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Ready,
    Failed(Status),
    /// Its connection is gone, or its backoff is over.
    Idle,
    /// Its connection is gone before it was of use, and may be replaced at once.
    Left,
}

/// What calls are told.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Idle,
    Resolving,
    Connecting,
    Ready(SubchannelId),
    Failed(Status),
}

#[derive(Debug)]
pub(crate) struct PickFirst {
    target: String,
    delay: AttemptDelay,
    entries: Vec<Entry>,
    mode: Mode,
    /// Every address has failed since the last READY, or the name could not be resolved.
    failing: bool,
    wanted: bool,
    resolver_failure: Option<Status>,
    last_id: u32,
}

#[derive(Debug)]
struct Entry {
    address: Address,
    id: Option<SubchannelId>,
    phase: Phase,
    failure: Option<Status>,
}

impl Entry {
    /// Drops the subchannel, and with it what it was about and when it may try again.
    fn forget(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        self.failure = None;
        out.extend(self.id.take().map(Action::Drop));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    Ready,
    BackingOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Idle,
    /// Addresses are being tried; the latest attempt is at this one.
    Pass(Pass, Option<SubchannelId>),
    /// The pass has failed; every address is tried as its backoff ends.
    Failed,
    Ready(SubchannelId),
}

impl PickFirst {
    pub(crate) fn new(target: String, delay: AttemptDelay) -> Self {
        Self {
            target,
            delay,
            entries: Vec::new(),
            mode: Mode::Idle,
            failing: false,
            wanted: false,
            resolver_failure: None,
            last_id: 0,
        }
    }

    /// A call waits: leave IDLE.
    pub(crate) fn wanted(&mut self, out: &mut Vec<Action>) {
        if self.mode != Mode::Idle {
            return;
        }
        self.wanted = true;
        if !self.entries.is_empty() {
            self.begin(out);
        }
    }

    /// The channel goes IDLE for want of calls: everything is dropped, and the name is asked for
    /// anew when a call wants a connection.
    pub(crate) fn sleep(&mut self, out: &mut Vec<Action>) {
        for entry in &mut self.entries {
            entry.forget(out);
        }
        self.entries.clear();
        self.mode = Mode::Idle;
        self.failing = false;
        self.wanted = false;
        self.resolver_failure = None;
    }

    /// The name stands for these addresses now.
    pub(crate) fn resolved(&mut self, addresses: &[Address], out: &mut Vec<Action>) {
        if addresses.is_empty() {
            let text = format!("{}: the name resolves to no address", self.target);
            self.resolution_failed(Status::unavailable(text).with_stage(Stage::Resolve));
            return;
        }
        self.resolver_failure = None;
        let mut old = std::mem::take(&mut self.entries);
        for address in interleave(addresses) {
            if self.entries.iter().any(|each| each.address == address) {
                continue;
            }
            let known = old.iter().position(|each| each.address == address);
            self.entries.push(match known {
                Some(at) => old.swap_remove(at),
                None => Entry {
                    address,
                    id: None,
                    phase: Phase::Idle,
                    failure: None,
                },
            });
        }
        out.extend(old.iter().filter_map(|gone| gone.id).map(Action::Drop));
        match self.mode {
            Mode::Idle if self.wanted => self.begin(out),
            Mode::Idle => {}
            Mode::Pass(mut pass, latest) => {
                pass.restart();
                self.mode = Mode::Pass(pass, latest);
                let under_way = |each: &Entry| each.id == latest && each.phase == Phase::Connecting;
                if self.entries.iter().any(under_way) {
                    self.start_timer(out);
                } else {
                    self.advance(out);
                }
            }
            Mode::Failed if self.entries.iter().all(|each| each.failure.is_none()) => {
                // None of the addresses that failed is left: what calls were told is outdated.
                self.failing = false;
                self.begin(out);
            }
            Mode::Failed => self.connect_idle(out),
            Mode::Ready(id) => {
                if !self.entries.iter().any(|each| each.id == Some(id)) {
                    self.rest(out);
                }
            }
        }
    }

    /// The name could not be resolved. Addresses known from before stay in use.
    pub(crate) fn resolution_failed(&mut self, why: Status) {
        if self.entries.is_empty() {
            self.failing = true;
            self.resolver_failure = Some(why);
        }
    }

    /// Something happened to the subchannel; a dropped one is ignored.
    pub(crate) fn changed(&mut self, id: SubchannelId, change: Change, out: &mut Vec<Action>) {
        let Some(at) = self.entries.iter().position(|each| each.id == Some(id)) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        match change {
            Change::Ready => {
                entry.phase = Phase::Ready;
                self.select(id, out);
            }
            Change::Failed(why) => {
                entry.phase = Phase::BackingOff;
                entry.failure = Some(why);
                match self.mode {
                    Mode::Pass(_, latest) if latest == Some(id) => self.advance(out),
                    // A slow one that was left behind; perhaps it was the last hope.
                    Mode::Pass(..) if !self.connecting() => self.advance(out),
                    Mode::Failed => out.push(Action::Resolve),
                    Mode::Ready(selected) if selected == id => self.begin(out),
                    Mode::Pass(..) | Mode::Idle | Mode::Ready(_) => {}
                }
            }
            Change::Left => {
                entry.phase = Phase::Idle;
                if self.mode == Mode::Ready(id) {
                    self.left();
                    out.push(Action::Resolve);
                }
            }
            Change::Idle => {
                entry.phase = Phase::Idle;
                if self.mode == Mode::Ready(id) {
                    self.rest(out);
                    out.push(Action::Resolve);
                } else if self.mode == Mode::Failed {
                    self.connect_idle(out);
                }
            }
        }
    }

    /// The selected one has ended without having been of use, and may be tried at once. The others
    /// keep what they are backing off from: two that end like this must not undo each other's backoff.
    fn left(&mut self) {
        self.mode = Mode::Idle;
        self.wanted = false;
    }

    /// The time that was asked for is over: where addresses are left, the next is tried beside the
    /// slow one.
    pub(crate) fn timer(&mut self, out: &mut Vec<Action>) {
        self.advance(out);
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.mode {
            Mode::Ready(id) => Verdict::Ready(id),
            Mode::Pass(..) | Mode::Failed if self.failing => Verdict::Failed(self.failure()),
            Mode::Pass(..) | Mode::Failed => Verdict::Connecting,
            Mode::Idle if !self.wanted => Verdict::Idle,
            Mode::Idle => match &self.resolver_failure {
                Some(why) => Verdict::Failed(why.clone()),
                None => Verdict::Resolving,
            },
        }
    }

    /// The addresses of the current list, in order, as text for errors.
    pub(crate) fn addresses(&self) -> String {
        let texts: Vec<_> = self
            .entries
            .iter()
            .map(|each| each.address.to_string())
            .collect();
        texts.join(", ")
    }

    /// Begins a pass.
    fn begin(&mut self, out: &mut Vec<Action>) {
        self.mode = Mode::Pass(Pass::default(), None);
        self.advance(out);
    }

    /// Tries the next address of the pass.
    fn advance(&mut self, out: &mut Vec<Action>) {
        let Mode::Pass(mut pass, latest) = self.mode else {
            return;
        };
        match pass.advance(&self.standings()) {
            Step::Start(at) => {
                self.mode = Mode::Pass(pass, self.connect(at, out));
                self.start_timer(out);
            }
            Step::Wait => self.mode = Mode::Pass(pass, latest),
            Step::Failed => {
                self.mode = Mode::Failed;
                self.failing = true;
                out.push(Action::Resolve);
                self.connect_idle(out);
            }
        }
    }

    fn start_timer(&mut self, out: &mut Vec<Action>) {
        let standings = self.standings();
        if let Mode::Pass(pass, _) = &mut self.mode
            && pass.start_timer(&standings)
        {
            out.push(Action::Timer(self.delay.get()));
        }
    }

    fn standings(&self) -> Vec<Standing> {
        let standing = |each: &Entry| match each.phase {
            Phase::Idle => Standing::Untried,
            Phase::Connecting | Phase::Ready => Standing::UnderWay,
            Phase::BackingOff => Standing::Failed,
        };
        self.entries.iter().map(standing).collect()
    }

    fn connecting(&self) -> bool {
        self.standings().contains(&Standing::UnderWay)
    }

    /// Once the pass has failed: everything whose backoff is over connects, all at once.
    fn connect_idle(&mut self, out: &mut Vec<Action>) {
        for at in 0..self.entries.len() {
            if self
                .entries
                .get(at)
                .is_some_and(|each| each.phase == Phase::Idle)
            {
                self.connect(at, out);
            }
        }
    }

    fn connect(&mut self, at: usize, out: &mut Vec<Action>) -> Option<SubchannelId> {
        let entry = self.entries.get_mut(at)?;
        entry.phase = Phase::Connecting;
        let id = *entry.id.get_or_insert_with(|| {
            self.last_id = self.last_id.wrapping_add(1);
            let id = SubchannelId(self.last_id);
            out.push(Action::Create(id, entry.address.clone()));
            id
        });
        out.push(Action::Connect(id));
        Some(id)
    }

    fn select(&mut self, id: SubchannelId, out: &mut Vec<Action>) {
        self.mode = Mode::Ready(id);
        self.failing = false;
        for entry in &mut self.entries {
            if entry.id == Some(id) {
                entry.failure = None;
            } else if entry.phase == Phase::Connecting {
                entry.forget(out);
            }
        }
    }

    /// The selected one had proven itself and is gone: the next pass starts afresh.
    fn rest(&mut self, out: &mut Vec<Action>) {
        let mode = std::mem::replace(&mut self.mode, Mode::Idle);
        self.wanted = false;
        for entry in &mut self.entries {
            entry.failure = None;
            if entry.id.is_some_and(|id| mode != Mode::Ready(id)) {
                entry.forget(out);
            }
        }
    }

    /// One status that names every address with its own cause.
    fn failure(&self) -> Status {
        let failed = |each: &Entry| Some(Attempt::new(each.failure.clone()?).at(&each.address));
        let failures: Vec<_> = self.entries.iter().filter_map(failed).collect();
        match failures.as_slice() {
            [] => match &self.resolver_failure {
                Some(why) => why.clone(),
                None => Status::unavailable(format!("{}: not connected", self.target)),
            },
            [only] if self.entries.len() == 1 => only.status().clone(),
            [.., last] => {
                let mut text = format!(
                    "none of the {} addresses of {} could be reached",
                    self.entries.len(),
                    self.target
                );
                for (at, failure) in failures.iter().enumerate() {
                    text.push_str(if at == 0 { ": " } else { "; " });
                    let _ = write!(text, "{}", Cause(failure.status()));
                }
                let last = last.status();
                let mut status = Status::new(Code::Unavailable, text).with_origin(last.origin());
                if let Some(stage) = last.stage() {
                    status = status.with_stage(stage);
                }
                status.with_unprocessed(true).with_attempts(failures)
            }
        }
    }
}

#[cfg(test)]
mod tests;
