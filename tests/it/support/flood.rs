//! A client over TCP that sends as much as it can: what comes back is counted, not kept.
//!
//! [`Peer`](super::Peer) is for dialogues. Here a task reads and counts while the test writes, so
//! that neither side waits for the other.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use super::frame::{self, Wire, raw, settings};
use super::{LIMIT, within};

/// What a client's connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What has come back so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Frames by their type.
    pub(crate) frames: BTreeMap<u8, u64>,
    /// RST_STREAM by code.
    pub(crate) resets: BTreeMap<u32, u64>,
    /// Answers to our PINGs.
    pub(crate) pongs: u64,
    /// Bytes of DATA.
    pub(crate) data_bytes: u64,
    /// The code of the last GOAWAY, and its text.
    pub(crate) goaway: Option<(u32, String)>,
    /// How the connection ended: an empty text for a FIN.
    pub(crate) closed: Option<String>,
}

impl Tally {
    /// RST_STREAM of any code.
    pub(crate) fn all_resets(&self) -> u64 {
        self.resets.values().sum()
    }

    /// The code of the last GOAWAY.
    pub(crate) fn goaway_code(&self) -> Option<u32> {
        self.goaway.as_ref().map(|(code, _)| *code)
    }
}

/// What became of what was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The other side's kernel has it.
    Taken,
    /// The other side has not taken all of it in time: it reads no more.
    Stuck,
    /// The connection is gone.
    Gone,
}

/// A connection that sends without end.
pub(crate) struct Flood {
    write: OwnedWriteHalf,
    tally: Arc<Mutex<Tally>>,
    /// Kept unread where nothing is to be read.
    deaf: Option<OwnedReadHalf>,
    reading: Option<JoinHandle<()>>,
}

impl Flood {
    /// A connection with HTTP/2 agreed on, whose answers are read and counted.
    pub(crate) async fn connect(address: &str) -> Self {
        let (mut read, mut write) = open(address, &[]).await;
        let tally = Arc::<Mutex<Tally>>::default();
        greet(&mut read, &mut write).await;
        let reading = tokio::spawn(count(read, Arc::clone(&tally)));
        Self {
            write,
            tally,
            deaf: None,
            reading: Some(reading),
        }
    }

    /// A connection that reads nothing after the server's SETTINGS, and has sent these.
    pub(crate) async fn deaf(address: &str, values: &[(u16, u32)]) -> Self {
        let (mut read, mut write) = open(address, values).await;
        greet(&mut read, &mut write).await;
        Self {
            write,
            tally: Arc::default(),
            deaf: Some(read),
            reading: None,
        }
    }

    /// Sends all of it, unless the other side stops it.
    pub(crate) async fn push(&mut self, wire: impl Into<Wire>) -> Pushed {
        self.push_for(wire, LIMIT).await
    }

    /// As [`push`](Self::push), and gives up after this time.
    pub(crate) async fn push_for(&mut self, wire: impl Into<Wire>, patience: Duration) -> Pushed {
        let Wire(bytes) = wire.into();
        match tokio::time::timeout(patience, self.write.write_all(&bytes)).await {
            Ok(Ok(())) => Pushed::Taken,
            Ok(Err(_gone)) => Pushed::Gone,
            Err(_elapsed) => Pushed::Stuck,
        }
    }

    /// Begins to read, where nothing was read until now.
    pub(crate) fn listen(&mut self) {
        if let Some(read) = self.deaf.take() {
            self.reading = Some(tokio::spawn(count(read, Arc::clone(&self.tally))));
        }
    }

    /// What has come so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Waits until the tally is as wanted.
    pub(crate) async fn until(&self, wanted: &str, reached: impl Fn(&Tally) -> bool) -> Tally {
        let looking = async {
            while !reached(&self.tally()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(2 * LIMIT, looking).await.is_err() {
            panic!("waited in vain until {wanted}: {:?}", self.tally());
        }
        self.tally()
    }

    /// The server has closed the connection; what came before.
    pub(crate) async fn closed(&self) -> Tally {
        self.until("the server hangs up", |tally| tally.closed.is_some())
            .await
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
    }
}

async fn open(address: &str, values: &[(u16, u32)]) -> (OwnedReadHalf, OwnedWriteHalf) {
    let socket = within("a connection", TcpStream::connect(address)).await;
    let socket = socket.unwrap();
    socket.set_nodelay(true).unwrap();
    let (read, mut write) = socket.into_split();
    let hello = Wire(PREFACE.to_vec()).and(settings(values));
    write.write_all(&hello.0).await.unwrap();
    (read, write)
}

/// Reads up to the server's SETTINGS, acknowledges them, and waits until it has opened the
/// connection's window: what is more than 64 KiB before would be a fault.
async fn greet(read: &mut OwnedReadHalf, write: &mut OwnedWriteHalf) {
    let greeting = async {
        let mut last = None;
        while last != Some(frame::WINDOW_UPDATE) {
            let mut head = [0; 9];
            read.read_exact(&mut head).await?;
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            read.read_exact(&mut payload).await?;
            if last.is_none() {
                assert_eq!((head[3], head[4]), (frame::SETTINGS, 0), "SETTINGS first");
                let ack = raw(frame::SETTINGS, frame::ACK, 0, &[]);
                write.write_all(&ack.0).await?;
            }
            last = Some(head[3]);
        }
        Ok(())
    };
    let greeted: io::Result<()> = within("the server's SETTINGS", greeting).await;
    greeted.unwrap();
}

async fn count(mut read: OwnedReadHalf, tally: Arc<Mutex<Tally>>) {
    let mut buffer = BytesMut::new();
    loop {
        let end = match read.read_buf(&mut buffer).await {
            Ok(0) => Some(String::new()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        let mut tally = tally.lock().unwrap();
        while let Some(length) = whole_frame(&buffer) {
            tally.add(&buffer[..9], &buffer[9..9 + length]);
            buffer.advance(9 + length);
        }
        if end.is_some() {
            tally.closed = end;
            return;
        }
    }
}

/// The length of the payload, once all of the frame is here.
fn whole_frame(buffer: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes([0, *buffer.first()?, *buffer.get(1)?, *buffer.get(2)?]);
    let length = usize::try_from(length).unwrap();
    (buffer.len() >= 9 + length).then_some(length)
}

impl Tally {
    fn add(&mut self, head: &[u8], payload: &[u8]) {
        let (kind, flags) = (head[3], head[4]);
        let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        *self.frames.entry(kind).or_default() += 1;
        match kind {
            frame::DATA => self.data_bytes += u64::try_from(payload.len()).unwrap(),
            frame::RST_STREAM => *self.resets.entry(word(0)).or_default() += 1,
            frame::GOAWAY => {
                let text = String::from_utf8_lossy(&payload[8..]).into_owned();
                self.goaway = Some((word(4), text));
            }
            frame::PING if flags & frame::ACK != 0 => self.pongs += 1,
            _ => {}
        }
    }
}
