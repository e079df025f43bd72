//! The CONNECT request and its answer (RFC 9110 §9.3.6, RFC 9112).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use trunkline_core::protocol::USER_AGENT;

use super::Proxy;
use crate::BoxIo;

/// The most that is read of a proxy's answer: more than any proxy says.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How much of what a proxy says goes into an error.
const MAX_QUOTE_BYTES: usize = 64;

/// Asks the proxy at the other end of `io` for a tunnel to `to`, which is `host:port`.
pub(super) async fn open(mut io: BoxIo, proxy: &Proxy, to: &str) -> io::Result<BoxIo> {
    let failed = |kind: io::ErrorKind, what: String| {
        io::Error::new(kind, format!("the proxy {proxy} {what}"))
    };
    // A name that somebody made by hand must not become a header of its own.
    if !to.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("cannot be asked for {to:?}, which is no host and port");
        return Err(failed(io::ErrorKind::InvalidInput, what));
    }
    let lost = |error: io::Error| failed(error.kind(), format!("was lost: {error}"));
    let mut request =
        format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {USER_AGENT}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;

    let mut answer = BytesMut::new();
    let mut left = MAX_HEAD_BYTES;
    loop {
        match Answer::parse(&answer) {
            Parsed::Whole(head) if head.status / 100 == 1 => answer.advance(head.length),
            Parsed::Whole(head) if head.status / 100 == 2 => {
                answer.advance(head.length);
                return Ok(rewound(io, answer.freeze()));
            }
            Parsed::Whole(head) => {
                let kind = io::ErrorKind::ConnectionRefused;
                return Err(failed(kind, refusal(&head, proxy, to)));
            }
            Parsed::Nonsense => {
                let what = format!("did not answer in HTTP/1.1, but with {}", quoted(&answer));
                return Err(failed(io::ErrorKind::InvalidData, what));
            }
            Parsed::Partial if left == 0 => {
                let what = format!("answered with a head of more than {MAX_HEAD_BYTES} bytes");
                return Err(failed(io::ErrorKind::InvalidData, what));
            }
            Parsed::Partial => {
                let mut chunk = (&mut io).take(u64::try_from(left).unwrap_or(u64::MAX));
                match chunk.read_buf(&mut answer).await.map_err(lost)? {
                    0 => {
                        let what = "closed the connection before it had answered".to_owned();
                        return Err(failed(io::ErrorKind::UnexpectedEof, what));
                    }
                    count => left = left.saturating_sub(count),
                }
            }
        }
    }
}

/// What a refusal says, and what can be done about it.
fn refusal(head: &Answer, proxy: &Proxy, to: &str) -> String {
    let said = format!("answered {} {}", head.status, head.reason);
    let said = said.trim_end();
    match (head.status, &proxy.authorization) {
        (407, None) => format!("{said}: it wants credentials, and none are set"),
        (407, Some(_)) => format!("{said}: it does not take the credentials that are set"),
        _ => format!("{said} to CONNECT {to}"),
    }
}

/// The part of an answer that matters.
struct Answer {
    status: u16,
    reason: String,
    /// Bytes of the whole head, with the empty line.
    length: usize,
}

enum Parsed {
    Partial,
    Nonsense,
    Whole(Answer),
}

impl Answer {
    fn parse(bytes: &[u8]) -> Parsed {
        const START: &[u8] = b"HTTP/1.";
        let seen = bytes.len().min(START.len());
        if bytes.get(..seen) != START.get(..seen) {
            return Parsed::Nonsense;
        }
        let Some(length) = head_length(bytes) else {
            return Parsed::Partial;
        };
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes);
        let mut words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().unwrap_or_default();
        let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
        let digits = std::str::from_utf8(status).ok();
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(status) if is_status && status >= 100 && version.len() == START.len() + 1 => {
                Parsed::Whole(Self {
                    status,
                    reason: printable(words.next().unwrap_or_default()),
                    length,
                })
            }
            _ => Parsed::Nonsense,
        }
    }
}

/// Up to and with the first empty line; some proxies end lines with LF alone.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let end = |pattern: &[u8]| {
        let at = bytes
            .windows(pattern.len())
            .position(|each| each == pattern)?;
        Some(at.saturating_add(pattern.len()))
    };
    match (end(b"\r\n\r\n"), end(b"\n\n")) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn printable(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let kept = bytes.iter().copied().filter(plain);
    kept.take(MAX_QUOTE_BYTES).map(char::from).collect()
}

fn quoted(bytes: &[u8]) -> String {
    let start = bytes.get(..MAX_QUOTE_BYTES).unwrap_or(bytes);
    format!("\"{}\"", start.escape_ascii())
}

/// `io`, where `first` is read before what is still to come: a server may speak at once.
fn rewound(io: BoxIo, first: Bytes) -> BoxIo {
    if first.is_empty() {
        io
    } else {
        BoxIo::new(Rewound { first, io })
    }
}

struct Rewound {
    first: Bytes,
    io: BoxIo,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::memory;

    const TO: &str = "greeter.example:50051";

    fn proxy() -> Proxy {
        Proxy::new("http://me:s%33cret@proxy.example:3128").unwrap()
    }

    /// Plays the proxy: hears the request, says `answer` in pieces of `piece` bytes, and closes if
    /// it is told to.
    async fn answered(answer: &[u8], piece: usize, close: bool) -> io::Result<BoxIo> {
        let (client, mut server) = memory::pipe();
        let says = async move {
            let mut heard = BytesMut::new();
            while head_length(&heard).is_none() {
                server.read_buf(&mut heard).await.unwrap();
            }
            for part in answer.chunks(piece) {
                if server.write_all(part).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            (heard, (!close).then_some(server))
        };
        let proxy = proxy();
        let opening = tokio::time::timeout(Duration::from_secs(5), open(client, &proxy, TO));
        let (opened, (heard, _server)) = tokio::join!(opening, says);
        let heard = String::from_utf8(heard.to_vec()).unwrap();
        let start = "CONNECT greeter.example:50051 HTTP/1.1\r\nHost: greeter.example:50051\r\n";
        assert!(heard.starts_with(start), "{heard}");
        let line = format!("\r\nProxy-Authorization: Basic {}\r\n", "bWU6czNjcmV0");
        assert!(heard.contains(&line), "{heard}");
        opened.unwrap()
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_not_lost() {
        let answers: [&[u8]; 3] = [
            b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nhello",
            b"HTTP/1.0 204\n\nhello",
            b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
        ];
        for answer in answers {
            for piece in [1, 7, 1_000] {
                let mut tunnel = answered(answer, piece, true).await.unwrap();
                let mut heard = Vec::new();
                tunnel.read_to_end(&mut heard).await.unwrap();
                assert_eq!(heard, b"hello");
            }
        }
    }

    #[tokio::test]
    async fn what_a_proxy_says_instead_is_told_with_its_name() {
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'y'; 40_000]].concat();
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
        let table: [(&[u8], &str); 12] = [
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                "answered 407 Proxy Authentication Required: it does not take the credentials",
            ),
            (
                b"HTTP/1.1 403 For\x1bbidden\r\n\r\n<html>",
                "answered 403 Forbidden to CONNECT greeter.example:50051",
            ),
            (b"HTTP/1.1 503\r\n\r\n", "answered 503 to CONNECT"),
            (b"HTTP/1.1 301 Moved\r\n\r\n", "answered 301 Moved"),
            (
                b"SSH-2.0-OpenSSH\r\n",
                "did not answer in HTTP/1.1, but with \"SSH-2.0",
            ),
            (b"\x15\x03\x01\x00\x02", "but with \"\\x15\\x03\\x01"),
            (
                b"HTTP/1.1 two hundred\r\n\r\n",
                "did not answer in HTTP/1.1",
            ),
            (b"HTTP/1.1 099 \r\n\r\n", "did not answer in HTTP/1.1"),
            (b"HTTP/1.1", "closed the connection before it had answered"),
            (b"", "closed the connection before it had answered"),
            (&endless, "answered with a head of more than 16384 bytes"),
            (&interim, "answered with a head of more than 16384 bytes"),
        ];
        for (answer, expected) in table {
            let error = answered(answer, 5_000, true).await.unwrap_err().to_string();
            assert!(
                error.starts_with("the proxy http://proxy.example:3128 "),
                "{error}"
            );
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("s3cret") && !error.contains("bWU6"),
                "{error}"
            );
            assert!(error.len() < 250, "{error}");
        }
    }

    #[tokio::test]
    async fn a_name_with_control_characters_is_never_sent() {
        let (client, mut server) = memory::pipe();
        let error = open(client, &proxy(), "a:1\r\nX: y").await.unwrap_err();
        assert!(error.to_string().contains("cannot be asked for"), "{error}");
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert!(heard.is_empty());
    }

    #[tokio::test]
    async fn a_refusal_needs_no_end_of_the_connection() {
        let answer = b"HTTP/1.1 407 No\r\ncontent-length: 5\r\n\r\n";
        let error = answered(answer, 3, false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
