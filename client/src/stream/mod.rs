//! The two halves of a streaming call, as a client has them.

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::Sender;
