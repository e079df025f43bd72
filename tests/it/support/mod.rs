//! What the tests of the wire share: a peer that speaks frame by frame, and worlds to put it in.
//!
//! A test reads as a dialogue:
//! ```ignore
//! let (mut server, echo) = RawServer::memory("shop");
//! let script = async {
//!     let mut peer = server.accept().await;
//!     peer.expect_end(1).await;
//!     peer.send([headers(1).status(200).grpc().into(), data(1, note("one")), reset(1, CANCEL)]).await;
//! };
//! let (answer, ()) = tokio::join!(echo.once(Note::default()), script);
//! ```

mod dark;
mod flood;
mod frame;
mod headers;
mod hpack;
mod peer;
mod raw_server;
mod served;
mod slow;

use std::fmt;
use std::time::Duration;

pub(crate) use dark::Path;
pub(crate) use flood::{Flood, Pushed, Tally};
pub(crate) use frame::*;
pub(crate) use headers::{Headers, headers, request, trailers};
pub(crate) use hpack::{Form, Table};
pub(crate) use peer::{Event, Exchange, PREFACE, Peer, Reaction};
pub(crate) use raw_server::{RawServer, channel_closes};
pub(crate) use served::{Heard, RETURNED, Served, patient};
pub(crate) use slow::Slow;
use trunkline::codegen::prost::Message;
use trunkline_test_protos::echo::Note;

/// How long a test waits for anything: far longer than anything takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Awaits, but not for ever.
pub(crate) async fn within<F: IntoFuture>(wanted: impl fmt::Display, future: F) -> F::Output {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("waited {LIMIT:?} in vain for {wanted}"),
    }
}

/// What a connection of a test runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// A pipe in this process.
    Memory,
    /// Loopback.
    Tcp,
}

impl Over {
    pub(crate) const BOTH: [Self; 2] = [Self::Memory, Self::Tcp];
}

/// A note with this text.
pub(crate) fn text(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        ..Note::default()
    }
}

/// The same, encoded and framed.
pub(crate) fn note(words: &str) -> Vec<u8> {
    framed(text(words).encode_to_vec())
}
