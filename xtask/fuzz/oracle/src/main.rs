//! Our HPACK against loona-hpack, which was written by others from the same RFC.

mod native;

fn main() {
    native::compare::run();
}
