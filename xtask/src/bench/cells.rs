//! What is measured: one row of the report each.

use super::cell::{Cell, Kind, Load, Side, Target, Threads};
use super::values::Metric;

const ALL: &[&str] = &[
    "trunkline",
    "trunkline-h2",
    "h2",
    "tonic",
    "connect",
    "grpc-go",
];
const RUST: &[&str] = &["trunkline", "trunkline-h2", "h2", "tonic", "connect"];
const OURS_AND_TONIC: &[&str] = &["trunkline", "trunkline-h2", "tonic"];

const fn load(
    shape: &'static str,
    payload_bytes: usize,
    connections: usize,
    in_flight: usize,
) -> Load {
    Load {
        shape,
        payload_bytes,
        connections,
        in_flight,
        rate: None,
    }
}

const fn timed(
    name: &'static str,
    title: &'static str,
    (side, threads): (Side, Threads),
    load: Load,
    targets: &'static [Target],
) -> Cell {
    Cell {
        name,
        title,
        kind: Kind::Timed(side, threads, load),
        libraries: ALL,
        targets,
        is_quick: false,
    }
}

const fn other(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    libraries: &'static [&'static str],
    targets: &'static [Target],
) -> Cell {
    Cell {
        name,
        title,
        kind,
        libraries,
        targets,
        is_quick: false,
    }
}

const fn idle(connections: usize, streams: usize) -> Kind {
    Kind::Idle {
        connections,
        streams,
        tls: false,
        gives_back: false,
    }
}

const SERVER: (Side, Threads) = (Side::Server, Threads::One);
const SERVER_MT: (Side, Threads) = (Side::Server, Threads::Many);
const CLIENT: (Side, Threads) = (Side::Client, Threads::One);
const CLIENT_MT: (Side, Threads) = (Side::Client, Threads::Many);

const fn cpu(of_tonic: f64) -> Target {
    Target::Ratio(Metric::Cpu, "tonic", of_tonic)
}

const GO: Target = Target::Ratio(Metric::Cpu, "grpc-go", 0.35);
const P99: Target = Target::Ratio(Metric::P99, "tonic", 0.40);

/// In the order of the report. In the names, `c8-s10` is 8 connections with 10 calls in flight on each.
pub(super) const CELLS: &[Cell] = &[
    timed(
        "server-unary-64-c8-s10",
        "server, unary 64 B, 8 × 10",
        SERVER,
        load("unary", 64, 8, 10),
        &[cpu(0.33), P99, GO],
    )
    .quick(),
    timed(
        "server-unary-64-c1-s100",
        "server, unary 64 B, 1 × 100",
        SERVER,
        load("unary", 64, 1, 100),
        &[cpu(0.30), GO],
    ),
    timed(
        "server-unary-64-c1-s1",
        "server, unary 64 B, 1 × 1",
        SERVER,
        load("unary", 64, 1, 1),
        &[cpu(0.50), GO],
    ),
    timed(
        "server-unary-1k-c8-s10",
        "server, unary 1 KiB, 8 × 10",
        SERVER,
        load("unary", 1_024, 8, 10),
        &[cpu(0.40), GO],
    ),
    timed(
        "server-unary-64-c8-s10-mt",
        "server, unary 64 B, 8 × 10, multi-thread",
        SERVER_MT,
        load("unary", 64, 8, 10),
        &[cpu(0.25), GO],
    )
    .quick(),
    timed(
        "server-unary-64-c1-s100-mt",
        "server, unary 64 B, 1 × 100, multi-thread",
        SERVER_MT,
        load("unary", 64, 1, 100),
        &[cpu(0.22), P99, GO],
    ),
    timed(
        "client-unary-64-c1-s100",
        "client, unary 64 B, 1 × 100",
        CLIENT,
        load("unary", 64, 1, 100),
        &[cpu(0.22), GO],
    )
    .quick(),
    timed(
        "client-unary-64-c8-s10",
        "client, unary 64 B, 8 × 10",
        CLIENT,
        load("unary", 64, 8, 10),
        &[cpu(0.28), GO],
    ),
    timed(
        "client-unary-64-c1-s1",
        "client, unary 64 B, 1 × 1",
        CLIENT,
        load("unary", 64, 1, 1),
        &[cpu(0.40), GO],
    ),
    timed(
        "client-unary-64-c1-s100-mt",
        "client, unary 64 B, 1 × 100, multi-thread",
        CLIENT_MT,
        load("unary", 64, 1, 100),
        &[cpu(0.22), GO],
    ),
    timed(
        "pair-unary-64-c8-s10",
        "own client and own server, unary 64 B, 8 × 10",
        (Side::Both, Threads::One),
        load("unary", 64, 8, 10),
        &[Target::Times(Metric::PerSecond, "tonic", 4.0)],
    )
    .quick(),
    timed(
        "server-ready-64-c4-s4",
        "server, stream of ready 64 B messages, 4 × 4",
        SERVER,
        load("ready", 64, 4, 4),
        &[cpu(0.30)],
    )
    .quick(),
    timed(
        "server-channel-64-c4-s4",
        "server, stream of 64 B messages from a channel, 4 × 4",
        SERVER,
        load("channel", 64, 4, 4),
        &[cpu(0.70)],
    ),
    timed(
        "server-upload-64-c4-s4",
        "server, receiving streams of 64 B messages, 4 × 4",
        SERVER,
        load("upload", 64, 4, 4),
        &[cpu(0.60)],
    ),
    timed(
        "server-ping-pong-64-c8-s10",
        "server, ping-pong 64 B, 8 × 10",
        SERVER,
        load("ping-pong", 64, 8, 10),
        &[cpu(0.45)],
    ),
    timed(
        "server-ping-pong-64-c1-s1",
        "server, ping-pong 64 B, 1 × 1",
        SERVER,
        load("ping-pong", 64, 1, 1),
        &[cpu(0.85)],
    ),
    timed(
        "client-ready-64-c4-s4",
        "client, receiving streams of 64 B messages, 4 × 4",
        CLIENT,
        load("ready", 64, 4, 4),
        &[],
    ),
    timed(
        "client-ping-pong-64-c8-s10",
        "client, ping-pong 64 B, 8 × 10",
        CLIENT,
        load("ping-pong", 64, 8, 10),
        &[],
    ),
    timed(
        "server-large-64k-c4-s4",
        "server, unary 64 KiB, 4 × 4",
        SERVER,
        load("large", 65_536, 4, 4),
        &[cpu(0.60)],
    ),
    timed(
        "server-large-1m-c2-s2",
        "server, unary 1 MiB, 2 × 2",
        SERVER,
        load("large", 1_048_576, 2, 2),
        &[cpu(0.75)],
    ),
    timed(
        "client-large-64k-c4-s4",
        "client, unary 64 KiB, 4 × 4",
        CLIENT,
        load("large", 65_536, 4, 4),
        &[cpu(0.60)],
    ),
    timed(
        "client-large-1m-c2-s2",
        "client, unary 1 MiB, 2 × 2",
        CLIENT,
        load("large", 1_048_576, 2, 2),
        &[cpu(0.75)],
    ),
    timed(
        "server-unary-64-rate",
        "server, unary 64 B, 40,000 calls/s whatever comes back",
        SERVER,
        Load {
            rate: Some(40_000),
            ..load("unary", 64, 8, 100)
        },
        &[],
    ),
    other(
        "counts-server",
        "server, unary 64 B, counted",
        Kind::Counts(Side::Server),
        RUST,
        &[
            Target::AtMost(Metric::Instructions, 14_000.0),
            Target::AtMost(Metric::Allocations, 10.0),
            Target::AtMost(Metric::AllocatedBytes, 2_048.0),
        ],
    ),
    other(
        "counts-client",
        "client, unary 64 B, counted",
        Kind::Counts(Side::Client),
        RUST,
        &[
            Target::AtMost(Metric::Instructions, 12_000.0),
            Target::AtMost(Metric::Allocations, 9.0),
            Target::AtMost(Metric::AllocatedBytes, 2_048.0),
        ],
    ),
    other(
        "idle-connection",
        "memory of an idle connection",
        idle(1_000, 0),
        ALL,
        &[Target::AtMost(Metric::MemoryEach, 12.0)],
    ),
    other(
        "idle-connection-tls",
        "memory of an idle connection over TLS",
        Kind::Idle {
            connections: 1_000,
            streams: 0,
            tls: true,
            gives_back: false,
        },
        OURS_AND_TONIC,
        &[],
    ),
    other(
        "idle-stream",
        "memory of an idle stream",
        idle(100, 100),
        ALL,
        &[Target::AtMost(Metric::MemoryEach, 2.0)],
    ),
    other(
        "given-back",
        "memory 10 s after 10,000 connections and 100,000 streams",
        Kind::Idle {
            connections: 10_000,
            streams: 10,
            tls: false,
            gives_back: true,
        },
        OURS_AND_TONIC,
        &[Target::AtMost(Metric::Kept, 1.2)],
    ),
    other(
        "link",
        "one stream over 1 Gbit/s and 50 ms each way",
        Kind::Link,
        ALL,
        &[Target::AtLeast(Metric::MegabytesPerSecond, 80.0)],
    ),
    other(
        "unread",
        "unary calls beside 99 streams that nobody reads",
        Kind::Unread,
        RUST,
        &[Target::AtMost(Metric::TimesAlone, 2.0)],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_targets_name_a_library_of_the_cell() {
        for (number, cell) in CELLS.iter().enumerate() {
            let before = CELLS.iter().take(number);
            assert!(before.clone().all(|other| other.name != cell.name));
            for target in cell.targets {
                if let Target::Ratio(_, to, _) | Target::Times(_, to, _) = target {
                    assert!(cell.libraries.contains(to), "{}: {to}", cell.name);
                }
            }
        }
    }
}
