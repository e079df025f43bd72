//! A connection: its socket, what came, and what is to be written.

use super::frame;
use super::input::{CONNECTION_WINDOW, Event, Input, STREAM_WINDOW};
use super::output::Output;
use crate::Failure;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads at once what is there up to this; then what came is looked at.
const TURN_BYTES: usize = 256 * 1024;

/// A connection of either role.
pub(crate) struct Wire<S> {
    socket: S,
    pub(crate) input: Input,
    pub(crate) output: Output,
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Owes the peer the preface and SETTINGS.
    pub(crate) fn client(socket: S) -> Self {
        let mut wire = Self::new(socket, false);
        wire.output.bytes.extend_from_slice(frame::PREFACE);
        wire.greet();
        wire
    }

    /// Owes the peer SETTINGS.
    pub(crate) fn server(socket: S) -> Self {
        let mut wire = Self::new(socket, true);
        wire.greet();
        wire
    }

    fn new(socket: S, expects_preface: bool) -> Self {
        Self {
            socket,
            input: Input::new(expects_preface),
            output: Output::new(),
            written: 0,
        }
    }

    fn greet(&mut self) {
        self.output.settings(&[
            (frame::SETTING_INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (frame::SETTING_MAX_CONCURRENT_STREAMS, 10_000),
        ]);
        self.output.credit(0, CONNECTION_WINDOW - 65_535);
    }

    /// Until the peer's SETTINGS are there.
    pub(crate) async fn handshake(&mut self) -> Result<(), Failure> {
        loop {
            if !self.turn().await? {
                return Err("the peer closed before its SETTINGS".into());
            }
            while let Some(event) = self.input.next(&mut self.output)? {
                if matches!(event, Event::Settings { .. }) {
                    return Ok(());
                }
            }
        }
    }

    /// Writes what it can, and waits until something came; false at the peer's end.
    pub(crate) async fn turn(&mut self) -> io::Result<bool> {
        poll_fn(|context| self.poll_turn(context)).await
    }

    /// The same without waiting.
    pub(crate) async fn try_turn(&mut self) -> io::Result<bool> {
        poll_fn(|context| match self.poll_turn(context) {
            Poll::Pending => Poll::Ready(Ok(true)),
            ready => ready,
        })
        .await
    }

    /// The buffers of a connection that only sits there are given back.
    pub(crate) fn rest(&mut self) {
        self.input.rest();
        if self.output.bytes.is_empty() {
            self.output.bytes = Vec::new();
        }
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let was_full = self.output.is_full();
        let is_written = self.poll_write(context)?.is_ready();
        let mut read = 0;
        while read < TURN_BYTES {
            let room = self.input.room();
            let room_bytes = room.len();
            let mut buffer = ReadBuf::new(room);
            if Pin::new(&mut self.socket)
                .poll_read(context, &mut buffer)?
                .is_pending()
            {
                break;
            }
            let came = buffer.filled().len();
            if came == 0 {
                return Poll::Ready(Ok(false));
            }
            self.input.filled(came);
            read += came;
            if came < room_bytes {
                // The socket had no more.
                break;
            }
        }
        // Where a full buffer held bodies back, they can go on now.
        if read > 0 || (was_full && is_written) {
            Poll::Ready(Ok(true))
        } else {
            Poll::Pending
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        while self.written < self.output.bytes.len() {
            let rest = &self.output.bytes[self.written..];
            let taken = ready!(socket.as_mut().poll_write(context, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += taken;
        }
        self.output.bytes.clear();
        self.written = 0;
        socket.poll_flush(context)
    }
}
