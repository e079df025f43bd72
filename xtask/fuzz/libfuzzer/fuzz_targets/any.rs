//! All targets in one program: the variable `TRUNKLINE_FUZZ_TARGET` says which one it is. One program
//! is linked once.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::{Target, find, run};

fuzz_target!(|input: &[u8]| {
    let target = target();
    if input.len() > target.max_bytes {
        return;
    }
    if let Err(failure) = run(target, input) {
        eprintln!("{}: {failure}", target.name);
        std::process::abort();
    }
});

fn target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("TRUNKLINE_FUZZ_TARGET").unwrap_or_default();
        find(&name).unwrap_or_else(|| panic!("TRUNKLINE_FUZZ_TARGET={name:?} is no target"))
    })
}
