//! One direction of a simulated connection: what is written arrives later, in pieces of any size, and not at all once
//! the connection was broken.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that may be under way in one direction: what a kernel would hold.
const CAPACITY: usize = 64 * 1024;

/// How a connection's bytes travel.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    pub(super) delay: Duration,
    /// Added to the delay, any part of it.
    pub(super) jitter: Duration,
    /// No more of them leave or arrive at once.
    pub(super) chunk: usize,
}

/// The state of one direction, shared by its ends and by who disturbs it.
pub(super) struct Pipe(Mutex<State>);

struct State {
    weather: Weather,
    random: fastrand::Rng,
    packets: VecDeque<(Instant, Vec<u8>)>,
    waiting: usize,
    /// No byte overtakes another.
    last_arrival: Instant,
    stalled: bool,
    broken: bool,
    /// The writer has ended; seen after what it wrote.
    ended: bool,
    /// Since when nobody reads: the writer learns of it later.
    unread: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    pub(super) fn new(weather: Weather, random: fastrand::Rng, stalled: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            weather,
            random,
            packets: VecDeque::new(),
            waiting: 0,
            last_arrival: Instant::now(),
            stalled,
            broken: false,
            ended: false,
            unread: None,
            reader: None,
            writer: None,
        })))
    }

    /// Nothing arrives until it is let go on.
    pub(super) fn stall(&self, stalled: bool) {
        let mut state = self.state();
        state.stalled = stalled;
        state.wake();
    }

    /// Both ends see a reset, and what was under way is lost.
    pub(super) fn reset(&self) {
        let mut state = self.state();
        state.broken = true;
        state.packets.clear();
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()] {
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// After the time that its peer's word takes.
    fn is_known_unread(&self) -> bool {
        let way_back = self.weather.delay + self.weather.jitter;
        self.unread.is_some_and(|since| since.elapsed() > way_back)
    }

    fn push(&mut self, bytes: &[u8]) {
        let jitter = self.weather.jitter.mul_f64(self.random.f64());
        let arrival = Instant::now() + self.weather.delay + jitter;
        self.last_arrival = self.last_arrival.max(arrival);
        self.waiting += bytes.len();
        self.packets.push_back((self.last_arrival, bytes.to_vec()));
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    /// A piece of at most this many bytes, usually smaller.
    fn piece(&mut self, most: usize) -> usize {
        self.random.usize(1..=most.min(self.weather.chunk).max(1))
    }
}

/// One end of a connection.
pub(super) struct Socket {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    arrival: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) const fn new(incoming: Arc<Pipe>, outgoing: Arc<Pipe>) -> Self {
        Self {
            incoming,
            outgoing,
            arrival: None,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let incoming = Arc::clone(&self.incoming);
            let mut state = incoming.state();
            if state.broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let first = state.packets.front().map(|(arrival, _)| *arrival);
            let Some(arrival) = first.filter(|_| !state.stalled) else {
                if state.ended && first.is_none() && !state.stalled {
                    return Poll::Ready(Ok(()));
                }
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if arrival <= Instant::now() {
                let length = state.packets.front().map_or(0, |(_, bytes)| bytes.len());
                let length = state.piece(length.min(buf.remaining()));
                if let Some((_, bytes)) = state.packets.front_mut() {
                    buf.put_slice(&bytes[..length]);
                    bytes.drain(..length);
                    if bytes.is_empty() {
                        state.packets.pop_front();
                    }
                }
                state.waiting -= length;
                state.writer.take().into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(()));
            }
            // A reset or a stall has to wake it as well.
            state.reader = Some(cx.waker().clone());
            drop(state);
            let sleep = self
                .arrival
                .get_or_insert_with(|| Box::pin(sleep_until(arrival)));
            sleep.as_mut().reset(arrival);
            ready!(sleep.as_mut().poll(cx));
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.outgoing.state();
        if state.broken || state.is_known_unread() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.unread.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let free = CAPACITY.saturating_sub(state.waiting);
        if free == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = state.piece(free.min(buf.len()));
        state.push(buf.get(..length).unwrap_or(buf));
        Poll::Ready(Ok(length.min(buf.len())))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.outgoing.state();
        state.ended = true;
        state.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut state = self.outgoing.state();
        state.ended = true;
        state.wake();
        drop(state);
        let mut state = self.incoming.state();
        state.unread = Some(Instant::now());
        state.packets.clear();
        state.waiting = 0;
        state.wake();
    }
}
