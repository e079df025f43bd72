//! Our PINGs: what each that is under way was sent for.
//!
//! One is enough for all who want to know whether the peer lives. Two purposes need one of their
//! own: a measurement, whose round trip must begin when it is asked for, waits until none is under
//! way; a drain needs one that was sent after its GOAWAY, and has it beside the other.

use std::time::{Duration, Instant};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Whether the peer lives.
    Keepalive,
    /// How long the path is: `ask` answers `None` while another PING is under way, and is to be
    /// asked again later.
    Measure,
    /// Whether the peer has read all that was written before.
    Drain,
}

/// What an acknowledged PING was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Purposes {
    pub(super) keepalive: bool,
    pub(super) measure: bool,
    pub(super) drain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acked {
    pub(super) purposes: Purposes,
    pub(super) round_trip: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Pings {
    /// For keepalive and measurement.
    shared: Option<Flight>,
    drain: Option<Flight>,
    serial: u32,
    asked_for_life: bool,
    measured: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    payload: [u8; 8],
    sent: Instant,
    purposes: Purposes,
}

impl Pings {
    /// The payload of the PING to send now, if one is needed.
    pub(super) fn ask(&mut self, purpose: Purpose, now: Instant) -> Option<[u8; 8]> {
        self.asked_for_life |= purpose == Purpose::Keepalive;
        self.measured |= purpose == Purpose::Measure;
        let flight = match purpose {
            Purpose::Drain => &mut self.drain,
            Purpose::Keepalive | Purpose::Measure => &mut self.shared,
        };
        if let Some(flight) = flight {
            flight.purposes.keepalive |= purpose == Purpose::Keepalive;
            return None;
        }
        self.serial = self.serial.wrapping_add(1);
        let [a, b, c, d] = self.serial.to_be_bytes();
        let (tag, purposes) = match purpose {
            Purpose::Keepalive => (
                b'k',
                Purposes {
                    keepalive: true,
                    ..Purposes::default()
                },
            ),
            Purpose::Measure => (
                b'm',
                Purposes {
                    measure: true,
                    ..Purposes::default()
                },
            ),
            Purpose::Drain => (
                b'd',
                Purposes {
                    drain: true,
                    ..Purposes::default()
                },
            ),
        };
        let payload = [tag, 0, 0, 0, a, b, c, d];
        *flight = Some(Flight {
            payload,
            sent: now,
            purposes,
        });
        Some(payload)
    }

    /// A PING with ACK has come; `None` if nobody had asked with this payload.
    pub(super) fn acked(&mut self, payload: [u8; 8], now: Instant) -> Option<Acked> {
        let flight = [&mut self.shared, &mut self.drain]
            .into_iter()
            .find(|flight| flight.is_some_and(|flight| flight.payload == payload))?
            .take()?;
        Some(Acked {
            purposes: flight.purposes,
            round_trip: now.saturating_duration_since(flight.sent),
        })
    }

    /// Whether the peer was ever asked whether it lives.
    pub(super) const fn have_asked_for_life(&self) -> bool {
        self.asked_for_life
    }

    /// Whether a path was ever measured.
    pub(super) const fn have_measured(&self) -> bool {
        self.measured
    }

    /// Whether one for keepalive or measurement is under way.
    #[cfg(test)]
    pub(super) const fn in_flight(&self) -> bool {
        self.shared.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn one_under_way_serves_all_who_ask_whether_the_peer_lives() {
        let (mut pings, t0) = (Pings::default(), Instant::now());
        let payload = pings.ask(Purpose::Measure, t0).unwrap();
        assert_eq!(pings.ask(Purpose::Keepalive, t0 + S), None);
        assert_eq!(pings.ask(Purpose::Keepalive, t0 + S), None);
        let acked = pings.acked(payload, t0 + 2 * S).unwrap();
        assert_eq!(acked.round_trip, 2 * S);
        let Purposes {
            keepalive,
            measure,
            drain,
        } = acked.purposes;
        assert!(keepalive && measure && !drain);
        assert!(!pings.in_flight());
        assert_eq!(pings.acked(payload, t0 + 2 * S), None, "twice");
    }

    #[test]
    fn a_measurement_does_not_share_what_was_sent_before_it() {
        let (mut pings, t0) = (Pings::default(), Instant::now());
        let payload = pings.ask(Purpose::Keepalive, t0).unwrap();
        assert_eq!(pings.ask(Purpose::Measure, t0 + S), None);
        assert!(!pings.acked(payload, t0 + S).unwrap().purposes.measure);
        assert!(pings.ask(Purpose::Measure, t0 + S).is_some());
    }

    #[test]
    fn a_drain_has_its_own() {
        let (mut pings, t0) = (Pings::default(), Instant::now());
        let first = pings.ask(Purpose::Keepalive, t0).unwrap();
        let drain = pings.ask(Purpose::Drain, t0 + S).unwrap();
        assert_ne!(first, drain);
        assert_eq!(pings.ask(Purpose::Drain, t0 + S), None);
        let acked = pings.acked(drain, t0 + 3 * S).unwrap();
        assert!(acked.purposes.drain && !acked.purposes.keepalive);
        assert_eq!(acked.round_trip, 2 * S);
        assert!(pings.in_flight(), "the first one still is");
    }

    #[test]
    fn what_nobody_sent_is_no_answer() {
        let (mut pings, t0) = (Pings::default(), Instant::now());
        assert_eq!(pings.acked([0; 8], t0), None);
        let old = pings.ask(Purpose::Keepalive, t0).unwrap();
        pings.acked(old, t0).unwrap();
        pings.ask(Purpose::Keepalive, t0).unwrap();
        assert_eq!(pings.acked(old, t0), None, "the answer to an earlier one");
        assert!(pings.in_flight());
    }
}
