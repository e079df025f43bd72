//! Generates the client.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure()
        .build_server(false)
        .runtime_path("::trunkline_client")
        .compile(&["../proto/greeter.proto"], &["../proto"])
}
