//! Generates the service that the connections of the targets serve and call.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure().compile(
        &["../../tests/protos/proto/echo.proto"],
        &["../../tests/protos/proto"],
    )
}
