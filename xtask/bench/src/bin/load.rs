//! The load that every measured server gets.

fn main() -> Result<(), trunkline_bench::Failure> {
    trunkline_bench::run_load()
}
