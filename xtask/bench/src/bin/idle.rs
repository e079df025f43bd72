//! Connections and streams that only sit there: what they cost a server in memory.

fn main() -> Result<(), trunkline_bench::Failure> {
    trunkline_bench::run_idle()
}
