//! What the programs of the benchmark share: the shapes of calls, ways to load, and ways to count.

#[cfg(feature = "mimalloc")]
mod allocator;
mod arguments;
mod client;
mod echo;
mod grpc;
mod histogram;
mod load;
mod meter;
mod mirror;
mod probe;
mod process;
mod relay;
mod serve;
mod shape;
mod tls;
mod wire;

pub use arguments::{ClientArguments, ServerArguments};
pub use client::{Client, Held, run_client};
pub use echo::{Blob, Echo, EchoClient, EchoServer, Message, Order};
pub use grpc::{Failure, Messages, frame, read_message};
pub use load::{run_idle, run_load};
pub use mirror::run_mirror;
pub use relay::run_relay;
pub use serve::run_server;
pub use shape::Shape;
pub use tls::{Certificates, write_certificates};
