//! Generates messages, clients and servers from `proto/`: one Rust file per package in `OUT_DIR`.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure().compile(
        &[
            "proto/archive.proto",
            "proto/booking.proto",
            "proto/helloworld.proto",
            "proto/route_guide.proto",
            "proto/multiplex.proto",
            "proto/patience.proto",
            "proto/work.proto",
        ],
        &["proto"],
    )
}
