//! The scripted peer, and the methods it is called with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::sync::{Notify, mpsc};
use trunkline_client::{Channel, ChannelBuilder};
use trunkline_core::{Method, MethodDescriptor, RawCodec, Shape};
use trunkline_transport::memory::{self, MemoryListener};
use trunkline_transport::{BoxIo, Listener};

macro_rules! method {
    ($name:ident, $path:literal, $shape:ident) => {
        pub(crate) struct $name;
        impl Method for $name {
            type Request = Bytes;
            type Response = Bytes;
            type Codec = RawCodec;
            const DESCRIPTOR: &'static MethodDescriptor =
                &MethodDescriptor::new("test.T", stringify!($name), $path, Shape::$shape);
        }
    };
}

method!(One, "/test.T/One", Unary);
method!(Down, "/test.T/Down", ServerStreaming);
method!(Up, "/test.T/Up", ClientStreaming);
method!(Both, "/test.T/Both", Bidi);

pub(crate) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// One RPC as the peer sees it.
pub(crate) struct Exchange {
    pub(crate) head: http::request::Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    /// The peer's connection that it came on, counted from 1.
    pub(crate) connection: usize,
    buffer: BytesMut,
}

impl Exchange {
    fn new(request: Request<RecvStream>, respond: SendResponse<Bytes>, connection: usize) -> Self {
        let (head, body) = request.into_parts();
        Self {
            head,
            body,
            respond,
            connection,
            buffer: BytesMut::new(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.head.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The next request message; `None` at END_STREAM, an error for a reset.
    pub(crate) async fn message(&mut self) -> Result<Option<Bytes>, h2::Error> {
        loop {
            if self.buffer.len() >= 5 {
                let length = (&self.buffer[1..5]).get_u32() as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    return Ok(Some(self.buffer.split_to(length).freeze()));
                }
            }
            match self.body.data().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    self.body.flow_control().release_capacity(chunk.len())?;
                    self.buffer.extend_from_slice(&chunk);
                }
                None => return Ok(None),
            }
        }
    }

    /// Waits until the client has reset the stream, and gives the reason.
    pub(crate) async fn reset(mut self) -> h2::Reason {
        std::future::poll_fn(|cx| self.respond.poll_reset(cx))
            .await
            .unwrap()
    }

    /// As [`reset`](Self::reset), for an exchange that has begun to answer.
    pub(crate) async fn reset_of(mut stream: h2::SendStream<Bytes>) -> h2::Reason {
        std::future::poll_fn(|cx| stream.poll_reset(cx))
            .await
            .unwrap()
    }

    /// Headers, these messages, then OK.
    pub(crate) fn reply(mut self, messages: &[&str]) {
        let mut stream = self.respond.send_response(headers(), false).unwrap();
        for message in messages {
            stream.send_data(frame(message), false).unwrap();
        }
        stream.send_trailers(ok()).unwrap();
    }

    /// As [`reply`](Self::reply), to a client that may be gone.
    pub(crate) fn try_reply(mut self, messages: &[&str]) {
        let Ok(mut stream) = self.respond.send_response(headers(), false) else {
            return;
        };
        for message in messages {
            let _ = stream.send_data(frame(message), false);
        }
        let _ = stream.send_trailers(ok());
    }

    /// Headers and these messages; the stream stays open.
    pub(crate) fn begin(&mut self, messages: &[&str]) -> h2::SendStream<Bytes> {
        let mut stream = self.respond.send_response(headers(), false).unwrap();
        for message in messages {
            stream.send_data(frame(message), false).unwrap();
        }
        stream
    }

    /// A status alone.
    pub(crate) fn fail(self, code: &'static str, message: &'static str) {
        self.try_fail(code, message).unwrap();
    }

    /// As [`fail`](Self::fail), to a client that may be gone.
    pub(crate) fn try_fail(
        mut self,
        code: &'static str,
        message: &'static str,
    ) -> Result<(), h2::Error> {
        let mut response = headers();
        response
            .headers_mut()
            .insert("grpc-status", code.parse().unwrap());
        response
            .headers_mut()
            .insert("grpc-message", message.parse().unwrap());
        self.respond.send_response(response, true).map(drop)
    }
}

pub(crate) fn headers() -> Response<()> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(()).unwrap()
}

pub(crate) fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers
}

pub(crate) fn frame(message: &str) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message.as_bytes());
    frame.freeze()
}

/// The scripted server: gives each RPC to the test.
pub(crate) struct Peer {
    pub(crate) calls: mpsc::UnboundedReceiver<Exchange>,
    pub(crate) connections: Arc<AtomicUsize>,
    goaway: Arc<Notify>,
}

impl Peer {
    pub(crate) async fn next(&mut self) -> Exchange {
        self.calls.recv().await.unwrap()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Every connection that there is says GOAWAY, ends its streams and closes.
    pub(crate) fn go_away(&self) {
        self.goaway.notify_waiters();
    }
}

/// A channel builder and the peer that it reaches.
pub(crate) fn pair(max_streams: u32) -> (ChannelBuilder, Peer) {
    let (connector, listener) = memory::pair("peer");
    let builder = Channel::builder("memory:peer")
        .insecure()
        .connector(connector);
    (builder, serve(listener, max_streams))
}

pub(crate) fn serve(mut listener: MemoryListener, max_streams: u32) -> Peer {
    let (calls, receiver) = mpsc::unbounded_channel();
    let connections = Arc::new(AtomicUsize::new(0));
    let goaway = Arc::new(Notify::new());
    let peer = Peer {
        calls: receiver,
        connections: Arc::clone(&connections),
        goaway: Arc::clone(&goaway),
    };
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let number = connections.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::spawn(connection(
                io,
                max_streams,
                number,
                calls.clone(),
                Arc::clone(&goaway),
            ));
        }
    });
    peer
}

async fn connection(
    io: BoxIo,
    max_streams: u32,
    number: usize,
    calls: mpsc::UnboundedSender<Exchange>,
    goaway: Arc<Notify>,
) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(max_streams);
    // Cancelling much is what some tests are about; a peer that calls it an attack is not.
    builder.max_pending_accept_reset_streams(100_000);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else {
        return;
    };
    loop {
        tokio::select! {
            request = connection.accept() => {
                let Some(Ok((request, respond))) = request else { return };
                if calls.send(Exchange::new(request, respond, number)).is_err() {
                    return;
                }
            }
            () = goaway.notified() => connection.graceful_shutdown(),
        }
    }
}
