//! What tonic's code generator makes of proto/echo.proto: also the messages of the programs without a library.

mod generated {
    tonic::include_proto!("bench");
}

pub use generated::echo_client::EchoClient;
pub use generated::echo_server::{Echo, EchoServer};
pub use generated::{Blob, Message, Order};
