//! Generates both libraries' clients and servers from proto/echo.proto, as their users do; tonic's without protoc.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/echo.proto");
    let descriptors = protox::compile(["proto/echo.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;

    // Both would write bench.rs.
    let folder = PathBuf::from(std::env::var("OUT_DIR")?).join("trunkline");
    trunkline_codegen::configure()
        .out_dir(folder)
        .compile(&["proto/echo.proto"], &["proto"])?;
    Ok(())
}
