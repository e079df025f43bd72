//! Frames of the peer, but for heads, SETTINGS and GOAWAY, which have files of their own.

use std::time::Instant;

use bytes::Bytes;

use super::super::flow::Overflow;
use super::super::frame::{Fatal, Frame, Reason, StreamId, write};
use super::super::stream::{Blocked, Receiving, Sending, Stream};
use super::{Core, End, Event, Role, StreamKey};

/// Of a whole request, what its reader does not tell that it has taken: not worth a message.
const UNTOLD: u32 = 32 * 1024;

impl Core {
    /// The next frame of the peer. An error ends the connection: [`fatal`](Self::fatal) is next.
    pub(in super::super) fn frame(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fatal> {
        self.now = now;
        if self.leaving.is_closed() {
            return Ok(());
        }
        if !self.remote.is_settled() && !matches!(frame, Frame::Settings(_)) {
            return Err(Fatal::protocol("its first frame is not SETTINGS"));
        }
        match frame {
            Frame::Data {
                stream,
                payload,
                flow,
                end,
            } => self.data(stream, payload, flow, end),
            Frame::Headers {
                stream,
                block,
                end,
                depends_on,
            } => self.headers(stream, block, end, depends_on),
            Frame::Reset { stream, reason } => self.peer_reset(stream, reason),
            Frame::WindowUpdate { stream, by } => self.window_update(stream, by),
            Frame::Settings(pairs) => self.settings(pairs),
            Frame::SettingsAck => self.settings_ack(),
            Frame::Ping { ack: false, data } => self.ping(data),
            Frame::Ping { ack: true, data } => self.pong(data),
            Frame::GoAway { last, reason, text } => self.peer_go_away(last, reason, text),
            Frame::Priority { stream, depends_on } if stream == depends_on => self.stream_error(
                stream,
                Reason::PROTOCOL_ERROR,
                "a stream that depends on itself",
            ),
            Frame::Priority { .. } | Frame::Unknown => self.useless(),
            Frame::BadPriority { stream } => self.stream_error(
                stream,
                Reason::FRAME_SIZE_ERROR,
                "PRIORITY of a wrong length",
            ),
        }
    }

    fn data(&mut self, id: StreamId, payload: Bytes, flow: u32, end: bool) -> Result<(), Fatal> {
        let too_much = |_| Fatal::new(Reason::FLOW_CONTROL_ERROR, "over the connection's window");
        self.recv.received(flow).map_err(too_much)?;
        // On receipt: what is unread counts against its stream's window only.
        if let Some(by) = self.recv.credit(flow) {
            write::window_update(StreamId::ZERO, by, &mut self.control);
        }
        let Some(key) = self.find(id) else {
            return self.late_data(id, flow);
        };
        let is_settled = self.local.is_acknowledged();
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        match stream.receiving {
            Receiving::Body => {}
            Receiving::Head => {
                return self.fault(key, Reason::PROTOCOL_ERROR, "DATA before a head");
            }
            Receiving::Ended => return self.after_end(key, "DATA after END_STREAM"),
        }
        if !has_room(stream, flow, is_settled) {
            return self.fault(key, Reason::FLOW_CONTROL_ERROR, "over the stream's window");
        }
        if !stream.count_length(payload.len(), end) {
            return self.fault(
                key,
                Reason::PROTOCOL_ERROR,
                "DATA that is not as long as content-length says",
            );
        }
        let length = payload.len();
        let padding = flow.saturating_sub(u32::try_from(length).unwrap_or(flow));
        if padding > 0
            && !end
            && let Some(by) = stream.recv.credit(padding)
        {
            write::window_update(id, by, &mut self.control);
        }
        if length > 0 && !stream.is_ignored {
            stream.unread = stream.unread.saturating_add(flow - padding);
            self.held = self.held.saturating_add(u64::from(flow - padding));
            stream.inbound.store(payload);
            self.events.touch(key, &mut stream.marks);
        }
        if end {
            self.peer_ended(key);
        }
        self.guard.data(length, end, self.now)
    }

    /// DATA or HEADERS for a stream that its peer has ended.
    pub(super) fn after_end(&mut self, key: StreamKey, text: &'static str) -> Result<(), Fatal> {
        match self.role {
            Role::Server => self.fault(key, Reason::STREAM_CLOSED, text),
            Role::Client => Err(Fatal::new(Reason::STREAM_CLOSED, text)),
        }
    }

    /// The peer's half of a stream has ended well.
    pub(super) fn peer_ended(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        stream.receiving = Receiving::Ended;
        stream.inbound.end = Some(End::Clean);
        let untold = stream.unread.min(UNTOLD);
        stream.unread -= untold;
        self.held = self.held.saturating_sub(u64::from(untold));
        self.events.touch(key, &mut stream.marks);
        if stream.sending == Sending::Ended {
            self.completed(key);
        } else if self.role == Role::Client {
            // A call is over with its answer, whatever was still to be said.
            self.reset(key, Reason::CANCEL);
        }
    }

    fn peer_reset(&mut self, id: StreamId, reason: Reason) -> Result<(), Fatal> {
        let Some(key) = self.find(id) else {
            return self.late(id, "RST_STREAM for a stream that was never opened");
        };
        if let Some(stream) = self.streams.get_mut(key) {
            stream.inbound.end = Some(End::Reset(reason));
            self.events.touch(key, &mut stream.marks);
        }
        self.close(key);
        self.was_reset(key)
    }

    fn window_update(&mut self, id: StreamId, by: u32) -> Result<(), Fatal> {
        if id == StreamId::ZERO {
            return self.connection_update(by);
        }
        let Some(key) = self.find(id) else {
            return self.late_update(id);
        };
        if by == 0 {
            return self.fault(key, Reason::PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
        }
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        if stream.send.add(by) == Err(Overflow) {
            return self.fault(key, Reason::FLOW_CONTROL_ERROR, "a window over 2^31-1");
        }
        self.unblock(key);
        self.guard.window_update(self.now)
    }

    fn connection_update(&mut self, by: u32) -> Result<(), Fatal> {
        if by == 0 {
            return Err(Fatal::protocol("WINDOW_UPDATE by nothing"));
        }
        let too_wide = |_| Fatal::new(Reason::FLOW_CONTROL_ERROR, "a window over 2^31-1");
        self.send.add(by).map_err(too_wide)?;
        self.feed_starved();
        self.guard.window_update(self.now)
    }

    /// Those that wait for the connection's window have their turn again, in their order.
    fn feed_starved(&mut self) {
        if self.send.available() == 0 {
            return;
        }
        while let Some(key) = self.starved.pop_front() {
            let Some(stream) = self.streams.get_mut(key) else {
                continue;
            };
            if stream.blocked == Blocked::Connection {
                stream.blocked = Blocked::Stream;
                self.unblock(key);
            }
        }
    }

    /// A window of this stream may have become larger.
    pub(super) fn unblock(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if stream.blocked != Blocked::Stream || stream.send.available() == 0 {
            return;
        }
        if self.send.available() == 0 {
            stream.blocked = Blocked::Connection;
            self.starved.push_back(key);
            return;
        }
        stream.blocked = Blocked::No;
        self.events.push(Event::Blocked(key, false));
        self.ring.push(key);
    }

    fn ping(&mut self, data: [u8; 8]) -> Result<(), Fatal> {
        write::ping(true, data, &mut self.control);
        self.was_pinged()
    }

    /// A rule that is about one stream was broken; of the connection, if that stream is not open.
    fn stream_error(
        &mut self,
        id: StreamId,
        reason: Reason,
        text: &'static str,
    ) -> Result<(), Fatal> {
        match self.find(id) {
            Some(key) => self.fault(key, reason, text),
            None => Err(Fatal::new(reason, text)),
        }
    }
}

/// Takes DATA from a stream's window. A peer that cannot know our SETTINGS yet may send as much as
/// the protocol's own first window (RFC 9113 §6.9.3).
fn has_room(stream: &mut Stream, flow: u32, is_settled: bool) -> bool {
    if stream.recv.received(flow).is_ok() {
        return true;
    }
    let left = stream.recv.left();
    let over = flow.saturating_sub(left);
    let most = super::FIRST_WINDOW.saturating_sub(stream.recv.size());
    if is_settled || stream.beyond.saturating_add(over) > most {
        return false;
    }
    stream.beyond = stream.beyond.saturating_add(over);
    stream.recv.received(left).is_ok()
}
