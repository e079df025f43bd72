//! Reading: what is there goes into the machine, frame by frame.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use super::Driver;
use super::closing::Death;
use crate::http2::native::frame::{Frame, Reason, StreamId};

/// Bytes that are read in one turn, and how often the socket is asked for them: what its neighbours
/// on the runtime wait for.
const MAX_BYTES: usize = 256 * 1024;
const MAX_READS: usize = 16;

thread_local! {
    /// What is read into. A driver has it for the length of a read, and keeps it only where a part
    /// of a frame is left in it: connections that are idle need none.
    static BUFFER: Cell<BytesMut> = Cell::new(BytesMut::new());
}

impl Driver {
    /// Reads until the socket has nothing more, or enough.
    pub(super) fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Death> {
        // Where a thread's values are gone already each connection has its own.
        if self.reader.has_no_buffer()
            && let Ok(buffer) = BUFFER.try_with(Cell::take)
        {
            self.reader.lend(buffer);
        }
        let read = self.read_some(cx);
        if let Some(buffer) = self.reader.give_away() {
            let _ = BUFFER.try_with(|place| place.set(buffer));
        }
        let unfinished = self.reader.mid_block();
        self.core.block_unfinished(unfinished, self.now);
        read
    }

    fn read_some(&mut self, cx: &mut Context<'_>) -> Result<(), Death> {
        let mut bytes = 0;
        for _ in 0..MAX_READS {
            self.is_congested = self.core.is_congested();
            if self.is_congested {
                return Ok(());
            }
            self.reader.reserve();
            let before = self.reader.buffer().len();
            let Poll::Ready(read) = pin!(self.io.read_buf(self.reader.buffer())).poll(cx) else {
                return Ok(());
            };
            let read = read.map_err(Death::Io)?;
            if read == 0 {
                return Err(Death::Eof {
                    mid_frame: self.reader.mid_frame(),
                });
            }
            if self.heard.is_listening() {
                let came = self.reader.buffer().get(before..).unwrap_or_default();
                self.heard.hear(came);
            }
            self.is_used();
            let length = u64::try_from(read).unwrap_or(u64::MAX);
            self.core.heard(length, self.now);
            while let Some(frame) = self.reader.next()? {
                if let Frame::GoAway { last, reason, text } = frame
                    && last == StreamId::MAX
                    && reason == Reason::NO_ERROR
                {
                    let text = text.to_vec();
                    self.open_before_goodbye(reason, &text);
                    let text = text.as_slice();
                    let frame = Frame::GoAway { last, reason, text };
                    self.core.frame(frame, self.now)?;
                    continue;
                }
                self.core.frame(frame, self.now)?;
            }
            bytes += read;
            // Behind a long one the next would need a buffer of its own, while that one is unread.
            if bytes >= MAX_BYTES || read >= MAX_BYTES / 2 {
                break;
            }
        }
        self.goes_on = true;
        Ok(())
    }
}
