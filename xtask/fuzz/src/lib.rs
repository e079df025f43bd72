//! Fuzz targets: functions that take any bytes at all and panic where trunkline does not keep a
//! promise.
//!
//! The same functions run under three drivers: [`drive`] on stable Rust, libFuzzer where a nightly
//! toolchain is (`libfuzzer/`, a workspace of its own), and `tests/corpus.rs`, which gives each target
//! the inputs in `corpus/` again with every `cargo test`. `cargo xtask fuzz` starts the first two.

mod driver;
#[cfg(not(test))]
mod engines;
#[cfg(not(test))]
mod http2;
mod run;
mod source;
mod targets;
mod wire;

/// What the product's files that are included find under this name at home.
#[path = "../../../transport/src/sync.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the product's, of which targets use a part"
)]
mod sync;

/// The service that connections serve and call.
mod echo {
    mod generated {
        trunkline::include_protos!();
    }
    pub(crate) use generated::tests::echo::*;
}

pub use driver::{Outcome, Settings, drive, minimised, mutate};
#[cfg(not(test))]
pub use engines::{compare_clients, compare_servers, lawful_differences};
pub use run::{Failure, run};
pub use source::Source;
pub use targets::{TARGETS, Target, find};
