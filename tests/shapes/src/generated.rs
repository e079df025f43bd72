//! Everything the build script made, as users include it.

/// With the defaults: packages that import each other crosswise, by one line.
pub mod pb {
    trunkline::include_protos!();
}

/// The shop again, with every option.
pub mod choices {
    trunkline::include_protos!("choices/mod.rs");
}

/// With well-known types of our own.
pub mod well_known {
    trunkline::include_protos!("well_known/mod.rs");
}

/// Two dozen files in eight packages that import each other crosswise.
pub mod many {
    trunkline::include_protos!("many/mod.rs");
}

/// A type of ours in the place of `google.protobuf.Duration`; from prost-types, since it is what a message needs.
pub type Delay = trunkline::codegen::prost_types::Duration;
