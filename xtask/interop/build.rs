//! Generates clients and servers from the files in `proto`.

fn main() -> Result<(), trunkline_codegen::Error> {
    let files = [
        "proto/testing.proto",
        "proto/orca_service.proto",
        "proto/extra.proto",
    ];
    trunkline_codegen::configure().compile(&files, &["proto"])
}
