//! Build time for trunkline: `.proto` files in, Rust out.
//!
#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod compile;
mod descriptor;
mod docs;
mod error;
mod format;
mod generate;
mod model;
mod names;
mod output;
mod server;

pub use builder::{Builder, compile_protos, configure};
pub use error::{Error, Problem};
