//! What the examples share: the code generated from `proto/`, places to call about, and a clock for
//! their output. The ideas are in `examples/`, one per file.

mod generated;
mod path;
mod places;
mod timeline;

pub use generated::*;
pub use path::Path;
pub use places::{distance_metres, is_within, places};
pub use timeline::{Timeline, wrap};

/// The snippets of the pages in `docs/`, run as this package's documentation tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/from-grpc-go.md")]
    struct FromGrpcGo;

    #[doc = include_str!("../../docs/from-tonic.md")]
    struct FromTonic;
}
