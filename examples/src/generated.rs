//! The code that `build.rs` generated: a module for each package of `proto/`.

trunkline::include_protos!();

// Clients of the standard services, `grpc::health` and `grpc::reflection`.
trunkline::include_protos!("standard.rs");
