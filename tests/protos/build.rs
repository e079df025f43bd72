//! Generates the test services, as a user's build script would.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure().compile(&["proto/echo.proto", "proto/ledger.proto"], &["proto"])
}
