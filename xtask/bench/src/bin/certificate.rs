//! Writes a certificate for the cells over TLS into a folder.

use std::path::Path;

fn main() -> Result<(), trunkline_bench::Failure> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    trunkline_bench::write_certificates(Path::new(&folder))
}
