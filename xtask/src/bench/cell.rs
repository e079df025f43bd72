//! What a row of the report is made of.

use super::values::Metric;

/// What calls look like, how many at a time, and over how many connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) shape: &'static str,
    pub(super) payload_bytes: usize,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
    /// Calls per second that do not wait for answers; otherwise each answer starts the next call.
    pub(super) rate: Option<u32>,
}

/// Whose CPU time is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The load generator calls the library's server.
    Server,
    /// The library's client calls a server without a library.
    Client,
    /// The library's client calls its own server.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// One on each side, on a CPU of its own where that can be said.
    One,
    /// tokio's default, on any CPU.
    Many,
}

/// How a cell is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Calls for a while.
    Timed(Side, Threads, Load),
    /// Memory of connections that only sit there, each with so many streams.
    Idle {
        connections: usize,
        streams: usize,
        tls: bool,
        /// They are closed, and ten seconds later it is looked what is left.
        gives_back: bool,
    },
    /// One stream over a long fat link.
    Link,
    /// Calls one by one, beside streams that nobody reads.
    Unread,
    /// Instructions, allocations and system calls of a server or a client.
    Counts(Side),
}

/// What trunkline has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// At most this share of what the named library takes.
    Ratio(Metric, &'static str, f64),
    /// At least so many times what the named library does.
    Times(Metric, &'static str, f64),
    AtMost(Metric, f64),
    AtLeast(Metric, f64),
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// For the command line and the record.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    /// Which libraries take part; of those on this machine.
    pub(super) libraries: &'static [&'static str],
    pub(super) targets: &'static [Target],
    /// Also in a quick run.
    pub(super) is_quick: bool,
}

impl Cell {
    pub(super) const fn quick(mut self) -> Self {
        self.is_quick = true;
        self
    }

    /// What its bars in the plot stand for.
    pub(super) const fn main_metric(&self) -> Metric {
        match self.kind {
            Kind::Timed(Side::Both, ..) => Metric::PerSecond,
            Kind::Timed(..) => Metric::Cpu,
            Kind::Idle {
                gives_back: true, ..
            } => Metric::Kept,
            Kind::Idle { .. } => Metric::MemoryEach,
            Kind::Link => Metric::MegabytesPerSecond,
            Kind::Unread => Metric::TimesAlone,
            Kind::Counts(_) => Metric::Instructions,
        }
    }
}
