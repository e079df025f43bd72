//! The code that `build.rs` generated, a module for each package of `proto/`.

/// `proto/archive.proto`: for compression.
pub mod archive {
    include!(concat!(env!("OUT_DIR"), "/archive.rs"));
}

/// `proto/booking.proto`: for errors.
pub mod booking {
    include!(concat!(env!("OUT_DIR"), "/booking.rs"));
}

/// `proto/helloworld.proto`: one service with one method.
pub mod helloworld {
    include!(concat!(env!("OUT_DIR"), "/helloworld.rs"));
}

/// `proto/route_guide.proto`: all four kinds of methods.
pub mod routeguide {
    include!(concat!(env!("OUT_DIR"), "/routeguide.rs"));
}

/// `proto/multiplex.proto`: two services, each with all four kinds.
pub mod multiplex {
    include!(concat!(env!("OUT_DIR"), "/multiplex.rs"));
}

/// `proto/patience.proto`: for deadlines.
pub mod patience {
    include!(concat!(env!("OUT_DIR"), "/patience.rs"));
}

/// `proto/work.proto`: for cancelling.
pub mod work {
    include!(concat!(env!("OUT_DIR"), "/work.rs"));
}
