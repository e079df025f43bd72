//! Messages on standard input and output: a length of four bytes, then protobuf.

use prost::Message;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// No message of the judge comes near it.
const MAX_BYTES: u32 = 64 * 1024 * 1024;

/// Reads the next message; `None` at the end of the input.
pub(crate) async fn read<M: Message + Default>(
    input: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<M>> {
    let length = match input.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > MAX_BYTES {
        let text = format!("a message of {length} bytes on standard input");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = Vec::new();
    let read = input
        .take(u64::from(length))
        .read_to_end(&mut bytes)
        .await?;
    if u32::try_from(read) != Ok(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(M::decode(bytes.as_slice())?))
}

/// Writes a message, all of it before this returns.
pub(crate) async fn write(
    output: &mut (impl AsyncWrite + Unpin),
    message: &impl Message,
) -> io::Result<()> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    output.write_u32(length).await?;
    output.write_all(&bytes).await?;
    output.flush().await
}
