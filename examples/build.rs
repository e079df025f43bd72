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
    )?;
    // Clients of the standard services; a server has them by a feature.
    trunkline_codegen::configure()
        .build_server(false)
        .include_file("standard.rs")
        .compile(
            &[
                "grpc/health/v1/health.proto",
                "grpc/reflection/v1/reflection.proto",
            ],
            &["../server/proto"],
        )
}
