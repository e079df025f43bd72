//! What tonic's code generator makes of proto/echo.proto.

mod generated {
    tonic::include_proto!("bench");
}

pub use generated::Message;
pub use generated::echo_client::EchoClient;
pub use generated::echo_server::{Echo, EchoServer};
