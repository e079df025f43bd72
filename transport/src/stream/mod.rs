//! The typed halves of a stream, over whichever engine carries it.
//!
//! A stream has one [`SendHalf`] and one [`RecvHalf`]. Both own their side, are `Send`, and are
//! not `Clone`; sending and receiving take `&mut self`. So one task may send while another
//! receives, and two concurrent senders or receivers do not compile. The client's and the
//! server's `Sender` and `Receiver` are these halves with what each side may do.

mod compression;
mod hook;
mod many;
mod recv;
mod send;
mod source;

pub use compression::{Compress, Compressed, Compression, Decompress, Framed, Work};
pub use hook::{MessageHook, MessageHooks};
pub use many::Pause;
pub use recv::RecvHalf;
pub use send::SendHalf;

/// Which side of the wire a half is on, for its error texts.
#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}
