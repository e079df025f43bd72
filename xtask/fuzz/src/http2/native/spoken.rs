//! What an engine writes, by frames.

use super::frame::{Frame, Reader};
use super::hpack::Decoder;
use crate::engines::seen::{Event, Log, sorted};

/// Takes in what an engine writes and writes down what it means. What only says how much may be
/// sent is left out: that is what engines are free to differ in.
pub(crate) struct Spoken {
    reader: Reader,
    decoder: Decoder,
    log: Log,
}

impl Spoken {
    pub(crate) fn of_server(log: Log) -> Self {
        // The peer may have allowed more than is usual.
        let mut decoder = Decoder::new(4_096);
        decoder.set_limit(1 << 24);
        Self {
            reader: Reader::new((1 << 24) - 1, 1 << 24),
            decoder,
            log,
        }
    }

    pub(crate) fn of_client(log: Log) -> Self {
        let mut spoken = Self::of_server(log);
        spoken.reader.expect_preface();
        spoken
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.reader.buffer().extend_from_slice(bytes);
        let log = &self.log;
        loop {
            match self.reader.next() {
                Ok(None) => return,
                Err(fatal) => panic!("what the engine writes is no HTTP/2: {}", fatal.text),
                Ok(Some(Frame::Data {
                    stream,
                    payload,
                    end,
                    ..
                })) => {
                    log.push(Event::Payload(stream.0, payload.to_vec()));
                    if end {
                        log.push(Event::EndStream(stream.0));
                    }
                }
                Ok(Some(Frame::Headers {
                    stream, block, end, ..
                })) => {
                    let mut fields = Vec::new();
                    let mut sink = |name: &[u8], value: &[u8], _never_index: bool| {
                        fields.push((name.to_vec(), value.to_vec()));
                    };
                    let decoded = self.decoder.decode(block, &mut sink);
                    assert_eq!(decoded, Ok(()), "what the engine writes is no HPACK");
                    log.push(Event::Head(stream.0, sorted(fields)));
                    if end {
                        log.push(Event::EndStream(stream.0));
                    }
                }
                Ok(Some(Frame::Reset { stream, reason })) => {
                    log.push(Event::Reset(stream.0, reason.0));
                }
                Ok(Some(Frame::GoAway { reason, .. })) => log.push(Event::GoAway(reason.0)),
                Ok(Some(Frame::Ping { ack: true, data })) => log.push(Event::Pong(data)),
                Ok(Some(Frame::SettingsAck)) => log.push(Event::SettingsAck),
                Ok(Some(Frame::WindowUpdate { stream, by })) if stream.0 > 0 => {
                    log.push(Event::Widened(stream.0, by));
                }
                Ok(Some(
                    Frame::Ping { ack: false, .. }
                    | Frame::Settings(_)
                    | Frame::WindowUpdate { .. }
                    | Frame::Priority { .. }
                    | Frame::BadPriority { .. }
                    | Frame::Unknown,
                )) => {}
            }
        }
    }
}
