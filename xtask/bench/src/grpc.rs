//! The little of gRPC that the programs on bare h2 speak.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use prost::Message;
use std::error::Error;
use std::marker::PhantomData;

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
    let mut messages = Messages::new();
    let message = messages.next(body).await?.ok_or("an empty body")?;
    match messages.next(body).await? {
        None => Ok(message),
        Some(_) => Err("more than one message".into()),
    }
}

/// The messages of a body.
pub struct Messages<M> {
    chunk: Bytes,
    joined: BytesMut,
    message: PhantomData<fn() -> M>,
}

impl<M: Message + Default> Messages<M> {
    /// Of a body that has not been read.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunk: Bytes::new(),
            joined: BytesMut::new(),
            message: PhantomData,
        }
    }

    /// The next message; `None` at the end.
    ///
    /// Errors: the stream's, a broken message, or half a message at the end.
    pub async fn next(&mut self, body: &mut RecvStream) -> Result<Option<M>, Failure> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            let Some(chunk) = body.data().await.transpose()? else {
                return if self.chunk.is_empty() && self.joined.is_empty() {
                    Ok(None)
                } else {
                    Err("half a message".into())
                };
            };
            body.flow_control().release_capacity(chunk.len())?;
            if self.joined.is_empty() && self.chunk.is_empty() {
                self.chunk = chunk;
            } else {
                if self.joined.is_empty() {
                    self.joined.reserve(self.wanted(chunk.len()));
                    self.joined.extend_from_slice(&self.chunk);
                    self.chunk = Bytes::new();
                }
                self.joined.extend_from_slice(&chunk);
            }
        }
    }

    /// How long the message is that has begun.
    fn wanted(&self, more: usize) -> usize {
        let length = length(&self.chunk).unwrap_or(0);
        (PREFIX_BYTES + length).max(self.chunk.len() + more)
    }

    fn take(&mut self) -> Result<Option<M>, Failure> {
        if !self.joined.is_empty() {
            let Some(length) = whole(&self.joined)? else {
                return Ok(None);
            };
            let mut message = self.joined.split_to(PREFIX_BYTES + length).freeze();
            message.advance(PREFIX_BYTES);
            if self.joined.is_empty() {
                self.joined = BytesMut::new();
            }
            return Ok(Some(M::decode(message)?));
        }
        let Some(length) = whole(&self.chunk)? else {
            return Ok(None);
        };
        let mut message = self.chunk.split_to(PREFIX_BYTES + length);
        message.advance(PREFIX_BYTES);
        Ok(Some(M::decode(message)?))
    }
}

impl<M: Message + Default> Default for Messages<M> {
    fn default() -> Self {
        Self::new()
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..)?.first_chunk()?;
    Some(u32::from_be_bytes(*length) as usize)
}

/// The length of the message at the front, if all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let Some(length) = length(bytes) else {
        return Ok(None);
    };
    if bytes.first() != Some(&0) {
        return Err("a compressed message".into());
    }
    Ok((bytes.len() >= PREFIX_BYTES + length).then_some(length))
}
