//! Chunks that wait for a reader.

#[path = "../../../../../transport/src/http2/native/stream/chunks.rs"]
mod chunks;

pub(super) use self::chunks::Chunks;
