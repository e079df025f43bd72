//! What the load programs share: one message, one way to load, one way to count CPU time.

mod arguments;
mod cpu;
mod grpc;
mod histogram;
mod load;
mod serve;
mod tonic_echo;

pub use arguments::{ClientArguments, ServerArguments};
pub use grpc::{Failure, frame, read_message};
pub use load::{Client, run_client};
pub use serve::run_server;
pub use tonic_echo::{Echo, EchoClient, EchoServer, Message};
