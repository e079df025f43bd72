//! Generates client and server from proto/testing.proto.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure()
        .compile(&["proto/testing.proto", "proto/extra.proto"], &["proto"])
}
