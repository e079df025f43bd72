//! Generates the judge's service, and the messages by which it talks to our two programs.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure()
        .compile(&["proto/service.proto", "proto/programs.proto"], &["proto"])
}
