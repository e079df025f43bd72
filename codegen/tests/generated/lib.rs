//! The golden files, compiled against a stand-in for the runtime under every lint that users turn on.
//!
//! `cargo test` type-checks it; `cargo clippy --all-targets` and `cargo doc --examples` lint it.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::pedantic
)]

extern crate self as trunkline;

pub mod codegen;
mod handler;

pub use handler::Tour;

/// All four kinds, as users include them.
pub mod guide {
    include!("../golden/kinds/expected/guide.rs");
}

/// Names that Rust has taken.
pub mod names {
    include!("../golden/names/expected/names.rs");
}

/// Services whose items clash with messages.
pub mod clashes {
    include!("../golden/clashes/expected/clashes.rs");
}

/// Several packages with one line.
pub mod packages {
    include!("../golden/packages/expected/all.rs");
}

/// Files of editions.
pub mod modern {
    include!("../golden/modern/expected/mod.rs");
}

/// No package.
pub mod bare {
    include!("../golden/bare/expected/_.rs");
}

mod client_only {
    include!("../golden/kinds/client_only/guide.rs");
}

mod server_only {
    include!("../golden/kinds/server_only/guide.rs");
}
