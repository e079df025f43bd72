//! One end of an HTTP/2 connection that says exactly what the test tells it to.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline::transport::BoxIo;

use super::frame::{self, Wire, raw, settings};
use super::headers::Fields;
use super::hpack::Decoder;
use super::{LIMIT, within};

/// What a client's connection begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A scripted peer, client or server.
///
/// It answers SETTINGS and PING by itself while it reads, and does nothing else unasked. It reads
/// only inside the `expect_` methods, each of which fails after [`LIMIT`] with what it waited for
/// and what it has heard instead.
pub(crate) struct Peer {
    io: BoxIo,
    buffer: BytesMut,
    decoder: Decoder,
    /// Everything that came, as text, for a failure's message.
    heard: Vec<String>,
    /// Came, and was not what a test waited for at the time.
    pending: VecDeque<Event>,
    closed: bool,
    /// HEADERS that opened a stream or answered one.
    pub(crate) heads: usize,
    /// Whether PING is answered.
    pub(crate) acknowledges: bool,
    /// When PINGs came.
    pub(crate) pinged: Vec<tokio::time::Instant>,
    /// What WINDOW_UPDATEs have added, per stream.
    pub(crate) credit: HashMap<u32, u64>,
    /// What the other side's SETTINGS say now.
    pub(crate) settings: HashMap<u16, u32>,
    /// Payloads of acknowledged PINGs that no test has asked for yet.
    pongs: VecDeque<Vec<u8>>,
    /// Whether anything went out; SETTINGS come first (RFC 9113 §3.4).
    has_spoken: bool,
    /// Acknowledgements of SETTINGS that wait for that.
    owed: usize,
    /// SETTINGS of ours whose acknowledgement has come, and those that a test has asked for.
    settled: (usize, usize),
    /// The longest payload of a DATA frame since a test has last looked.
    pub(crate) largest_data: usize,
}

/// Something that the other side did.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Headers(u32, Fields, bool),
    Data(u32, Vec<u8>, bool),
    Reset(u32, u32),
    /// Last stream, code, text.
    GoAway(u32, u32, String),
    Closed,
}

/// How the other side took something that was wrong, or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Not at all.
    Ignored,
    /// RST_STREAM with this code.
    Stream(u32),
    /// GOAWAY with this code, and the end of the connection.
    Connection(u32),
}

/// All that came on one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) head: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Fields>,
    /// The code of RST_STREAM, if that ended it.
    pub(crate) reset: Option<u32>,
}

impl Peer {
    /// A client: sends the preface and empty SETTINGS.
    pub(crate) async fn client(io: BoxIo) -> Self {
        let mut peer = Self::silent(io);
        peer.send(Wire(PREFACE.to_vec())).await;
        peer.send(settings(&[])).await;
        peer
    }

    /// A server: waits for the preface, and sends these SETTINGS.
    pub(crate) async fn server(io: BoxIo, values: &[(u16, u32)]) -> Self {
        let mut peer = Self::silent(io);
        peer.expect_preface().await;
        peer.send(settings(values)).await;
        peer
    }

    /// Neither: nothing is sent or expected yet.
    pub(crate) fn silent(io: BoxIo) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            decoder: Decoder::new(),
            heard: Vec::new(),
            pending: VecDeque::new(),
            closed: false,
            heads: 0,
            acknowledges: true,
            pinged: Vec::new(),
            credit: HashMap::new(),
            settings: HashMap::new(),
            pongs: VecDeque::new(),
            has_spoken: false,
            owed: 0,
            settled: (0, 0),
            largest_data: 0,
        }
    }

    pub(crate) async fn expect_preface(&mut self) {
        let preface = async {
            while self.buffer.len() < PREFACE.len() {
                let read = self.io.read_buf(&mut self.buffer).await.unwrap();
                assert!(read > 0, "closed before the preface");
            }
        };
        within("the client's preface", preface).await;
        assert_eq!(self.buffer[..PREFACE.len()], *PREFACE);
        self.buffer.advance(PREFACE.len());
    }

    /// Sends frames; the other side may have gone.
    pub(crate) async fn send(&mut self, wire: impl Into<Wire>) {
        let Wire(mut bytes) = wire.into();
        self.has_spoken = true;
        for _ in 0..std::mem::take(&mut self.owed) {
            bytes.extend(raw(frame::SETTINGS, frame::ACK, 0, &[]).0);
        }
        let sent = async {
            // Gone is what some tests are about; a test that needs an answer will miss it.
            let _ = self.io.write_all(&bytes).await;
            let _ = self.io.flush().await;
        };
        within("the other side to take what is sent to it", sent).await;
    }

    /// Closes the sending side: FIN.
    pub(crate) async fn finish(&mut self) {
        let _ = self.io.shutdown().await;
    }

    /// The next HEADERS on this stream.
    pub(crate) async fn expect_headers(&mut self, stream: u32) -> Fields {
        match self.next_on(stream, "HEADERS").await {
            Event::Headers(_, fields, _) => fields,
            other => self.fail(format_args!("HEADERS on stream {stream}"), &other),
        }
    }

    /// The next DATA on this stream.
    pub(crate) async fn expect_data(&mut self, stream: u32) -> Vec<u8> {
        match self.next_on(stream, "DATA").await {
            Event::Data(_, bytes, _) => bytes,
            other => self.fail(format_args!("DATA on stream {stream}"), &other),
        }
    }

    /// RST_STREAM, after whatever else still came on this stream; its code.
    pub(crate) async fn expect_reset(&mut self, stream: u32) -> u32 {
        loop {
            match self.next_on(stream, "RST_STREAM").await {
                Event::Reset(_, code) => return code,
                Event::Closed => self.fail(format_args!("RST_STREAM on {stream}"), &Event::Closed),
                Event::Headers(..) | Event::Data(..) | Event::GoAway(..) => {}
            }
        }
    }

    /// The whole of a stream, to END_STREAM or RST_STREAM.
    pub(crate) async fn expect_end(&mut self, stream: u32) -> Exchange {
        let mut exchange = Exchange::default();
        let mut first = true;
        loop {
            let end = match self.next_on(stream, "the stream's end").await {
                Event::Headers(_, fields, end) if first => {
                    exchange.head = fields;
                    first = false;
                    end
                }
                Event::Headers(_, fields, end) => {
                    exchange.trailers = Some(fields);
                    end
                }
                Event::Data(_, bytes, end) => {
                    exchange.body.extend(bytes);
                    end
                }
                Event::Reset(_, code) => {
                    exchange.reset = Some(code);
                    true
                }
                other => self.fail(format_args!("the end of stream {stream}"), &other),
            };
            if end {
                return exchange;
            }
        }
    }

    /// The acknowledgement of a PING; the first one that no test has asked for yet must be this.
    pub(crate) async fn expect_pong(&mut self, payload: [u8; 8]) {
        let wanted = format!("the acknowledgement of PING {payload:02x?}");
        while self.pongs.is_empty() {
            self.step_for(&wanted).await;
        }
        assert_eq!(self.pongs.pop_front().as_deref(), Some(&payload[..]));
    }

    /// The acknowledgement of the oldest SETTINGS that no test has asked after yet.
    pub(crate) async fn expect_settled(&mut self) {
        while self.settled.0 == self.settled.1 {
            self.step_for("the acknowledgement of SETTINGS").await;
        }
        self.settled.1 += 1;
    }

    /// Sends SETTINGS and waits until they count on the other side.
    pub(crate) async fn settle(&mut self, values: &[(u16, u32)]) {
        self.send(settings(values)).await;
        self.settled.1 = self.settled.0;
        self.expect_settled().await;
        for (name, value) in values {
            if *name == frame::HEADER_TABLE_SIZE {
                self.decoder.allow(*value as usize);
            }
        }
    }

    /// Everything that the other side has sent so far has been read: it answers a PING.
    pub(crate) async fn catch_up(&mut self) {
        self.pongs.clear();
        self.send(frame::ping_with(*b"catch up")).await;
        self.expect_pong(*b"catch up").await;
    }

    /// What has come and no test has asked for, up to now.
    pub(crate) async fn drain(&mut self) -> Vec<Event> {
        self.catch_up().await;
        self.pending.drain(..).collect()
    }

    /// How the other side took what was sent last.
    pub(crate) async fn reaction(&mut self) -> Reaction {
        // An engine may write acknowledgements before anything else, so a second one is waited for.
        for _ in 0..2 {
            self.pongs.clear();
            self.send(frame::ping_with(*b"reaction")).await;
            while self.pongs.is_empty() && !self.closed {
                match tokio::time::timeout(LIMIT, self.step()).await {
                    Ok(event) => self.pending.extend(event),
                    Err(_elapsed) => panic!("no reaction; heard: {:#?}", self.heard),
                }
            }
        }
        let mut reaction = Reaction::Ignored;
        self.pending.retain(|event| {
            match event {
                Event::GoAway(_, code, _) => reaction = Reaction::Connection(*code),
                Event::Reset(_, code) if reaction == Reaction::Ignored => {
                    reaction = Reaction::Stream(*code);
                }
                Event::Closed => assert!(matches!(reaction, Reaction::Connection(_))),
                Event::Headers(..) | Event::Data(..) | Event::Reset(..) => return true,
            }
            false
        });
        reaction
    }

    /// Nothing has come on any stream but what the test has asked for, up to now.
    pub(crate) async fn expect_nothing(&mut self) {
        self.catch_up().await;
        assert!(self.pending.is_empty(), "{:?}", self.pending);
    }

    /// GOAWAY, whatever else comes before it: last stream, code, text.
    pub(crate) async fn expect_goaway(&mut self) -> (u32, u32, String) {
        loop {
            match self.next("GOAWAY").await {
                Event::GoAway(last, code, text) => return (last, code, text),
                Event::Closed => self.fail("GOAWAY", &Event::Closed),
                Event::Headers(..) | Event::Data(..) | Event::Reset(..) => {}
            }
        }
    }

    /// The end of the connection, whatever comes before it; what came.
    pub(crate) async fn expect_close(&mut self) -> Vec<Event> {
        let mut before = Vec::new();
        loop {
            match self.next("the connection to be closed").await {
                Event::Closed => return before,
                other => before.push(other),
            }
        }
    }

    /// As [`expect_close`](Self::expect_close), when it may take longer than other things.
    pub(crate) async fn expect_close_after(&mut self, time: Duration) -> Vec<Event> {
        let mut events = self.listen(time).await;
        match events.pop() {
            Some(Event::Closed) => events,
            last => panic!("still open after {time:?}, heard: {events:?}, {last:?}"),
        }
    }

    /// What comes within this time, up to the end of the connection.
    pub(crate) async fn listen(&mut self, time: Duration) -> Vec<Event> {
        let end = tokio::time::Instant::now() + time;
        let mut events = Vec::from(std::mem::take(&mut self.pending));
        while !self.closed {
            match tokio::time::timeout_at(end, self.read()).await {
                Ok(event) => events.push(event),
                Err(_elapsed) => break,
            }
        }
        events
    }

    /// The next event of any kind.
    pub(crate) async fn next(&mut self, wanted: impl fmt::Display) -> Event {
        if let Some(event) = self.pending.pop_front() {
            return event;
        }
        self.read_for(wanted).await
    }

    /// The next event, whenever it comes: whoever calls sets the bound.
    pub(crate) async fn whenever(&mut self) -> Event {
        match self.pending.pop_front() {
            Some(event) => event,
            None => self.read().await,
        }
    }

    /// The next event of this stream; others wait. `Closed` belongs to every stream.
    async fn next_on(&mut self, stream: u32, wanted: &str) -> Event {
        let here = |event: &Event| match event {
            Event::Headers(each, ..) | Event::Data(each, ..) | Event::Reset(each, _) => {
                *each == stream
            }
            Event::Closed => true,
            Event::GoAway(..) => false,
        };
        if let Some(place) = self.pending.iter().position(here) {
            return self.pending.remove(place).unwrap();
        }
        loop {
            let event = self
                .read_for(format_args!("{wanted} on stream {stream}"))
                .await;
            if here(&event) {
                return event;
            }
            self.pending.push_back(event);
        }
    }

    async fn read_for(&mut self, wanted: impl fmt::Display) -> Event {
        match tokio::time::timeout(LIMIT, self.read()).await {
            Ok(event) => event,
            Err(_elapsed) => panic!("no {wanted} within {LIMIT:?}; heard: {:#?}", self.heard),
        }
    }

    /// Reads one more frame, while something else than an event is waited for.
    pub(crate) async fn step_for(&mut self, wanted: &str) {
        match tokio::time::timeout(LIMIT, self.step()).await {
            Ok(Some(Event::Closed)) => self.fail(wanted, &Event::Closed),
            Ok(event) => self.pending.extend(event),
            Err(_elapsed) => panic!("no {wanted} within {LIMIT:?}; heard: {:#?}", self.heard),
        }
    }

    /// Reads up to the next event. Cancel safe.
    async fn read(&mut self) -> Event {
        loop {
            if let Some(event) = self.step().await {
                return event;
            }
        }
    }

    /// Reads one frame, or some bytes of it.
    async fn step(&mut self) -> Option<Event> {
        if self.closed {
            return Some(Event::Closed);
        }
        if let Some((kind, flags, stream, payload)) = self.take_frame() {
            let event = self.understand(kind, flags, stream, &payload).await?;
            self.hear(format!("{event:?}"));
            return Some(event);
        }
        match self.io.read_buf(&mut self.buffer).await {
            Ok(1..) => {}
            Ok(0) => self.close("end of file".to_owned()),
            Err(error) => self.close(error.to_string()),
        }
        None
    }

    fn close(&mut self, how: String) {
        self.closed = true;
        self.hear(how);
    }

    /// Keeps the text of the last few things that came.
    fn hear(&mut self, what: String) {
        if self.heard.len() == 40 {
            self.heard.remove(0);
        }
        self.heard.push(what);
    }

    fn take_frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let head = self.buffer.get(..9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        if self.buffer.len() < 9 + length {
            return None;
        }
        self.buffer.advance(9);
        Some((kind, flags, stream, self.buffer.split_to(length).to_vec()))
    }

    async fn understand(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> Option<Event> {
        let end = flags & frame::END_STREAM != 0;
        let payload = strip(kind, flags, payload);
        let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        match kind {
            frame::DATA => {
                self.largest_data = self.largest_data.max(payload.len());
                Some(Event::Data(stream, payload.to_vec(), end))
            }
            frame::HEADERS => {
                let mut block = payload.to_vec();
                if flags & frame::END_HEADERS == 0 {
                    block.extend(self.continuation().await);
                }
                self.heads += 1;
                let fields = Fields(self.decoder.read(&block));
                Some(Event::Headers(stream, fields, end))
            }
            frame::RST_STREAM => Some(Event::Reset(stream, word(0))),
            frame::GOAWAY => {
                let text = String::from_utf8_lossy(&payload[8..]).into_owned();
                Some(Event::GoAway(word(0), word(4), text))
            }
            frame::SETTINGS if flags & frame::ACK == 0 => {
                for entry in payload.chunks_exact(6) {
                    let name = u16::from_be_bytes([entry[0], entry[1]]);
                    let value = entry[2..].try_into().map(u32::from_be_bytes).unwrap();
                    self.settings.insert(name, value);
                }
                match self.has_spoken {
                    true => self.send(raw(frame::SETTINGS, frame::ACK, 0, &[])).await,
                    false => self.owed += 1,
                }
                None
            }
            frame::WINDOW_UPDATE => {
                *self.credit.entry(stream).or_default() += u64::from(word(0));
                None
            }
            frame::SETTINGS => {
                self.settled.0 += 1;
                None
            }
            frame::PING if flags & frame::ACK != 0 => {
                self.pongs.push_back(payload.to_vec());
                None
            }
            frame::PING => {
                self.pinged.push(tokio::time::Instant::now());
                if self.acknowledges {
                    self.send(raw(frame::PING, frame::ACK, 0, payload)).await;
                }
                None
            }
            other => {
                self.hear(format!("frame {other}, flags {flags:#x}, stream {stream}"));
                None
            }
        }
    }

    async fn continuation(&mut self) -> Vec<u8> {
        let mut block = Vec::new();
        loop {
            let Some((kind, flags, _, payload)) = self.take_frame() else {
                assert!(self.io.read_buf(&mut self.buffer).await.unwrap() > 0);
                continue;
            };
            assert_eq!(kind, frame::CONTINUATION);
            block.extend(payload);
            if flags & frame::END_HEADERS != 0 {
                return block;
            }
        }
    }

    fn fail(&self, wanted: impl fmt::Display, got: &Event) -> ! {
        panic!("expected {wanted}, got {got:?}; heard: {:#?}", self.heard)
    }
}

/// The payload without padding and the fields of priority.
fn strip(kind: u8, flags: u8, payload: &[u8]) -> &[u8] {
    let mut rest = payload;
    if !matches!(kind, frame::DATA | frame::HEADERS) {
        return rest;
    }
    if flags & frame::PADDED != 0 {
        rest = &rest[1..rest.len() - usize::from(rest[0])];
    }
    if kind == frame::HEADERS && flags & frame::PRIORITIZED != 0 {
        rest = &rest[5..];
    }
    rest
}

impl Exchange {
    /// The block that tells the outcome: the trailers, or the head that is all there is.
    pub(crate) fn last(&self) -> &Fields {
        self.trailers.as_ref().unwrap_or(&self.head)
    }

    /// `grpc-status`.
    pub(crate) fn code(&self) -> Option<u32> {
        self.last()
            .get("grpc-status")
            .map(|text| text.parse().unwrap())
    }

    /// `grpc-message`.
    pub(crate) fn message(&self) -> &str {
        self.last().get("grpc-message").unwrap_or_default()
    }
}
