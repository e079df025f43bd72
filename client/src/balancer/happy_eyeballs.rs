//! In which order, and how far apart, the addresses of one name are tried ("Happy Eyeballs").
//!
//! 1. Addresses of the two IP families take turns, beginning with the family of the first: where
//!    one family leads nowhere, every second address still does.
//! 2. The first is tried at once. The next is tried as soon as the latest attempt fails, or when
//!    it has taken as long as the *connection attempt delay*; an attempt that is merely slow goes
//!    on beside it.
//! 3. The first that is ready wins; the owner drops the others.
//! 4. Once every address has been tried and has failed, the pass is over.
//!
//! An address that is already being tried counts as started; one that backs off from a failure of
//! just before counts as tried.
//! Source: gRFC A61; RFC 8305, sections 4 and 5.

use std::time::Duration;

use trunkline_transport::Address;

/// RFC 8305 §5: long enough for a handshake across an ocean, short enough for a person not to
/// notice.
const DEFAULT_DELAY: Duration = Duration::from_millis(250);

/// RFC 8305 §5: less would hit every server of a name at once.
const MIN_DELAY: Duration = Duration::from_millis(100);

/// RFC 8305 §5: more would be no better than one address after the other.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The connection attempt delay, within its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptDelay(Duration);

impl AttemptDelay {
    pub(crate) fn new(delay: Duration) -> Self {
        Self(delay.clamp(MIN_DELAY, MAX_DELAY))
    }

    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl Default for AttemptDelay {
    fn default() -> Self {
        Self(DEFAULT_DELAY)
    }
}

/// What an address is about, as far as a pass cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known against it, and nobody tries it.
    Untried,
    UnderWay,
    /// It has failed and must not be tried yet.
    Failed,
}

/// What the owner does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try the address at this index.
    Start(usize),
    /// An attempt is under way that may yet succeed.
    Wait,
    /// Every address has failed.
    Failed,
}

/// One pass over a list of addresses: a plain value, told what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    /// The first address that this pass has not come to.
    next: usize,
    /// Whether the timer for the address after the latest runs.
    waiting: bool,
}

impl Pass {
    /// The latest attempt has failed, has been given its time, or there was none yet: goes on to
    /// the next address.
    pub(crate) fn advance(&mut self, standings: &[Standing]) -> Step {
        self.waiting = false;
        let untried = |each: &Standing| *each == Standing::Untried;
        let rest = standings.get(self.next..).unwrap_or_default();
        if let Some(offset) = rest.iter().position(untried) {
            let at = self.next.saturating_add(offset);
            self.next = at.saturating_add(1);
            return Step::Start(at);
        }
        self.next = standings.len();
        if standings.contains(&Standing::UnderWay) {
            Step::Wait
        } else {
            Step::Failed
        }
    }

    /// The list has changed: addresses may have come before those that were tried.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// Whether the owner is to start the timer now: something is left to try when the latest
    /// attempt is slow, and no timer runs for it yet.
    pub(crate) fn start_timer(&mut self, standings: &[Standing]) -> bool {
        let rest = standings.get(self.next..).unwrap_or_default();
        if self.waiting || !rest.contains(&Standing::Untried) {
            return false;
        }
        self.waiting = true;
        true
    }
}

/// The addresses, with the IP families taking turns in place; what is of neither family stays with
/// the first.
pub(crate) fn interleave(addresses: &[Address]) -> Vec<Address> {
    let is_v6 = |address: &Address| matches!(address, Address::Tcp(ip) if ip.is_ipv6());
    let first = addresses.first().is_some_and(is_v6);
    let (ours, theirs): (Vec<_>, Vec<_>) = addresses
        .iter()
        .cloned()
        .partition(|address| is_v6(address) == first);
    let (mut ours, mut theirs) = (ours.into_iter(), theirs.into_iter());
    let mut mixed = Vec::with_capacity(addresses.len());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return mixed,
            (one, other) => mixed.extend(one.into_iter().chain(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Failed, UnderWay, Untried};
    use super::*;

    #[test]
    fn families_take_turns_from_the_first_ones_family() {
        let table = [
            ("", ""),
            ("1 2", "1 2"),
            ("a b 1 2 3", "a 1 b 2 3"),
            ("1 2 3 a b", "1 a 2 b 3"),
            ("a 1", "a 1"),
        ];
        let list = |text: &str| -> Vec<Address> {
            let each = text
                .split_whitespace()
                .map(|name| match name.parse::<u8>() {
                    Ok(last) => Address::Tcp(([10, 0, 0, last], 1).into()),
                    Err(_) => Address::Tcp(format!("[::{name}]:1").parse().unwrap()),
                });
            each.collect()
        };
        for (given, expected) in table {
            assert_eq!(interleave(&list(given)), list(expected), "{given}");
        }
    }

    #[test]
    fn the_delay_is_kept_within_its_bounds() {
        assert_eq!(AttemptDelay::default().get(), Duration::from_millis(250));
        let table = [(0, 100), (99, 100), (300, 300), (2_001, 2_000)];
        for (given, kept) in table {
            let delay = AttemptDelay::new(Duration::from_millis(given));
            assert_eq!(delay.get(), Duration::from_millis(kept));
        }
    }

    #[test]
    fn a_pass_starts_each_once_and_ends_when_all_have_failed() {
        let mut pass = Pass::default();
        let mut standings = [Untried, Failed, Untried];
        assert_eq!(pass.advance(&standings), Step::Start(0));
        standings[0] = UnderWay;
        assert!(pass.start_timer(&standings), "one is left");
        assert!(!pass.start_timer(&standings), "one timer at a time");
        assert_eq!(pass.advance(&standings), Step::Start(2), "1 backs off");
        standings[2] = UnderWay;
        assert!(!pass.start_timer(&standings), "it is the last");
        standings[2] = Failed;
        assert_eq!(pass.advance(&standings), Step::Wait, "0 is merely slow");
        standings[0] = Failed;
        assert_eq!(pass.advance(&standings), Step::Failed);
    }

    #[test]
    fn a_failed_address_whose_backoff_is_over_is_not_tried_twice_in_a_pass() {
        let mut pass = Pass::default();
        assert_eq!(pass.advance(&[Untried, Untried]), Step::Start(0));
        assert_eq!(pass.advance(&[Untried, Untried]), Step::Start(1));
        assert_eq!(pass.advance(&[Untried, UnderWay]), Step::Wait);
        assert_eq!(pass.advance(&[Untried, Failed]), Step::Failed);
    }

    #[test]
    fn a_changed_list_does_not_restart_the_timer() {
        let mut pass = Pass::default();
        pass.advance(&[Untried, Untried]);
        assert!(pass.start_timer(&[UnderWay, Untried]));
        for _ in 0..1_000 {
            pass.restart();
            assert!(!pass.start_timer(&[Untried, UnderWay, Untried]));
        }
        assert_eq!(pass.advance(&[Untried, UnderWay, Untried]), Step::Start(0));
    }
}
