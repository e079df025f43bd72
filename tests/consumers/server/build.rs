//! Generates the server.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure()
        .build_client(false)
        .runtime_path("::trunkline_server")
        .compile(&["../proto/greeter.proto"], &["../proto"])
}
