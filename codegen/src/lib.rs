//! Build time for trunkline: `.proto` files in, Rust out.
//!
#![doc = include_str!("../README.md")]

mod accessors;
mod builder;
mod check;
mod client;
mod compile;
mod crates;
mod debug;
mod described;
mod descriptor;
mod docs;
mod editions;
mod error;
mod exports;
mod externs;
mod format;
mod generate;
mod model;
mod names;
mod options;
mod output;
mod parameters;
mod plugin;
mod server;
mod services;
mod survey;
mod type_names;

pub use builder::{Builder, compile_protos, configure};
pub use error::{Error, Problem};
pub use plugin::{PluginResponse, plugin_response};
