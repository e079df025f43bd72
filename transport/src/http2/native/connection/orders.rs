//! What the machine is told, and what it tells.

use std::sync::Arc;

use bytes::Bytes;

use super::super::frame::{Reason, StreamId};
use super::super::head::{RequestForm, ResponseHead};
use super::super::hpack::Fields;

/// A stream as the machine and its driver call it: never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct StreamKey {
    pub(in super::super) slot: u32,
    pub(in super::super) generation: u32,
}

/// Client: a new stream. More orders may follow for it; `end` says that none for sending will.
#[derive(Debug)]
pub(in super::super) struct Start {
    pub(in super::super) form: Arc<RequestForm>,
    /// `grpc-timeout` and the caller's metadata, as literals.
    pub(in super::super) extra: Fields,
    /// Messages with their prefixes; may be empty.
    pub(in super::super) data: Bytes,
    pub(in super::super) end: bool,
    /// It ends by its deadline, however many interim responses come.
    pub(in super::super) has_deadline: bool,
}

/// What an RPC's task wants done with its stream. Orders for streams that are gone do nothing.
#[derive(Debug)]
pub(in super::super) enum Order {
    /// Server: the response's head; with `end` it is all there is (Trailers-Only, rejects).
    Head {
        head: ResponseHead,
        extra: Fields,
        end: bool,
    },
    /// Messages with their prefixes.
    Data(Bytes),
    /// Server: after all data, however small the window.
    Trailers(Fields),
    /// Client: END_STREAM after all data.
    Finish,
    /// RST_STREAM; what was queued is dropped. Nothing is written if both sides have ended.
    Reset(Reason),
    /// The reader has taken so many bytes.
    Credit(u32),
    /// Nobody reads any more: what comes is dropped, and the peer's window stays as it is.
    Ignore,
}

/// What is wanted of the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Control {
    /// Two-step GOAWAY NO_ERROR with this text; open streams go on.
    Drain(&'static str),
    /// Server: new streams are refused from now on.
    RefuseNew,
    /// GOAWAY with this reason and text at once; nothing else follows.
    Close(Reason, &'static str),
}

/// What has happened. Each stream is in the list once per kind and batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Event {
    /// Server: a stream was opened; its head is in its [`Inbound`].
    Accept(StreamKey),
    /// Something is in its [`Inbound`].
    Touched(StreamKey),
    /// So many bytes of its data were placed in the output since the last time.
    Sent(StreamKey, u32),
    /// Data waits and the peer's windows are used up (`true`), or do not any more.
    Blocked(StreamKey, bool),
    /// Both sides have ended it and all its frames are placed in the output: the key means nothing
    /// any more, a client's permit is free.
    Closed(StreamKey),
    /// Client: the peer allows so many streams.
    Limit(u32),
    /// The peer's first SETTINGS have arrived.
    Settled,
    /// The peer takes no new stream, or we have used up the numbers for them. The peer's text is
    /// kept by the machine.
    GoneAway(StreamId, Reason),
}

/// How a stream ended for its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum End {
    /// END_STREAM.
    Clean,
    /// The peer's RST_STREAM.
    Reset(Reason),
    /// Client: GOAWAY left it out, so it was surely not processed.
    LeftOut,
    /// We reset it, because the peer broke a rule or a limit: the code, and what it was.
    Fault(Reason, &'static str),
    /// The connection is lost.
    Lost,
}
