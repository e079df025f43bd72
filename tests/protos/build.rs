//! Generates the test services, as a user's build script would, and clients of the standard ones.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure().compile(
        &[
            "proto/catalog/catalog.proto",
            "proto/echo.proto",
            "proto/interop.proto",
            "proto/ledger.proto",
        ],
        &["proto"],
    )?;
    trunkline_codegen::configure()
        .build_server(false)
        .include_file("standard.rs")
        .compile(
            &[
                "grpc/health/v1/health.proto",
                "grpc/reflection/v1/reflection.proto",
                "grpc/reflection/v1alpha/reflection.proto",
            ],
            &["../../server/proto"],
        )
}
