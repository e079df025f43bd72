//! Our HPACK against loona-hpack and h2, which others wrote from the same RFC.

mod native;

fn main() {
    native::compare::run();
}
