//! The little of gRPC that the bare h2 programs speak.

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use prost::Message;
use std::error::Error;

/// Whatever stopped a call: the programs end at the first one.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Compressed flag and length.
const PREFIX_BYTES: usize = 5;

/// One message with its prefix, in a buffer of exactly its size.
///
/// Errors: a message of 4 GiB or more.
pub fn frame(message: &impl Message) -> Result<Bytes, Failure> {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(PREFIX_BYTES + length);
    out.put_u8(0);
    out.put_u32(u32::try_from(length)?);
    message.encode(&mut out)?;
    Ok(out.freeze())
}

/// Reads a body with one message in it to its end.
///
/// Errors: the stream's, a broken message, or a body that is not one uncompressed message.
pub async fn read_message<M: Message + Default>(body: &mut RecvStream) -> Result<M, Failure> {
    let mut chunk = next(body).await?.ok_or("an empty body")?;
    let mut rest = BytesMut::new();
    while let Some(more) = next(body).await? {
        // In these loads a message fits a frame: the join is for correctness, not for speed.
        rest.extend_from_slice(&more);
    }
    if !rest.is_empty() {
        chunk = [chunk, rest.freeze()].concat().into();
    }
    if chunk.len() < PREFIX_BYTES || chunk[0] != 0 {
        return Err("not an uncompressed message".into());
    }
    Ok(M::decode(chunk.split_off(PREFIX_BYTES))?)
}

async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, Failure> {
    let Some(chunk) = body.data().await.transpose()? else {
        return Ok(None);
    };
    body.flow_control().release_capacity(chunk.len())?;
    Ok(Some(chunk))
}
