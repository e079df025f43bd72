//! The plugin for protoc (`--trunkline_out`) and buf (`local: protoc-gen-trunkline`).
#![expect(
    clippy::print_stderr,
    reason = "protoc and buf show what a plugin says there"
)]

use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args().nth(1) {
        eprintln!(
            "protoc-gen-trunkline {}: takes no arguments, but got {argument:?}; protoc and buf start it and write to its standard input",
            env!("CARGO_PKG_VERSION")
        );
        return ExitCode::FAILURE;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protoc-gen-trunkline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request)?;
    let response = trunkline_codegen::plugin_response(&request)?;
    for warning in &response.warnings {
        eprintln!("protoc-gen-trunkline: warning: {warning}");
    }
    let mut output = io::stdout();
    output.write_all(&response.bytes)?;
    output.flush()?;
    Ok(())
}
