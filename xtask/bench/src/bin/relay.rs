//! A long fat link between a client and a server.

fn main() -> Result<(), trunkline_bench::Failure> {
    trunkline_bench::run_relay()
}
