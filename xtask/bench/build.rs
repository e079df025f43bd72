//! Generates every library's clients and servers from proto/echo.proto, as their users do; none with protoc.

use prost::Message as _;
use std::error::Error;
use std::path::PathBuf;

/// The message whose payload is not copied, where a library has a choice.
const BYTES: &str = ".bench.Blob";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/echo.proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let descriptors = protox::compile(["proto/echo.proto"], ["proto"])?;

    let set = out.join("echo.bin");
    std::fs::write(&set, descriptors.encode_to_vec())?;
    connectrpc_build::Config::new()
        .descriptor_set(&set)
        .files(&["echo.proto"])
        .include_file("connectrpc.rs")
        .generate_json(false)
        .compile()?;

    tonic_prost_build::configure()
        .bytes(BYTES)
        .compile_fds(descriptors)?;

    // Both would write bench.rs.
    trunkline_codegen::configure()
        .out_dir(out.join("trunkline"))
        .bytes([BYTES])
        .compile(&["proto/echo.proto"], &["proto"])?;
    Ok(())
}
