//! The last moments of a connection that this side gives up while the other may still be writing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::BoxIo;

/// How long the other side may take to read why.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// What it may still be sending meanwhile.
const LINGER_BYTES: u64 = 64 * 1024;

/// Closes after the other side has had its chance to read what was sent last: closing a socket with
/// unread bytes would reset the connection, and lose that.
pub(crate) async fn linger(mut io: BoxIo) {
    let last_words = async {
        let _ = io.shutdown().await;
        let _ = tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await;
    };
    let _ = tokio::time::timeout(LINGER, last_words).await;
}
