//! The server that every measured client calls.

fn main() -> Result<(), trunkline_bench::Failure> {
    trunkline_bench::run_mirror()
}
