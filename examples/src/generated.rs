//! The code that `build.rs` generated: a module for each package of `proto/`.

trunkline::include_protos!();
