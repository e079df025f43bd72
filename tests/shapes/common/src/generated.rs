//! Everything the build script made, as users include it.

/// A module for each package.
pub mod pb {
    trunkline::include_protos!();
}
