//! What `.proto` files can hold, generated with the real runtime under every lint that users turn on.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::pedantic
)]

mod generated;

pub use generated::{choices, many, pb, well_known, Delay};
