//! Messages that the tests use from another crate, as a company's shared protos would be.

mod generated;

pub use generated::pb;
