//! Generates client and server.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::compile_protos("../proto/greeter.proto")
}
