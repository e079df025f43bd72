//! Attacks, one file per family: what the attacker gets, what it costs us, and that nobody else
//! notices.
//!
//! Where the cost matters, or what another connection feels, the server is a process of its own
//! ([`victim`], [`caller`]), attacked over TCP and measured from outside by what Linux tells of a process.
//! Bounds of memory are those that are promised; bounds of time are ten times as wide as what was
//! measured, and never under a second. `cargo xtask soak` runs the full sizes and prints what it
//! measured.

mod bombs;
mod caller;
mod control;
mod data;
mod door;
mod fields;
mod headers;
mod panics;
mod process;
mod resets;
mod servers;
mod slow_readers;
mod victim;
mod witness;
