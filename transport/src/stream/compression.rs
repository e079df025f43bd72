//! Compressed messages: with what, from which size on, and large ones away from the tasks that
//! drive connections.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use trunkline_core::stats::MessageSize;
use trunkline_core::{CompressorRegistry, Encoding, FrameError, Payload};

/// Messages from here on are compressed on a thread of the blocking pool: 0.1 to 0.4 ms of work at
/// gzip's fastest level (measured for messages of 16 KiB to 1 MiB: 250 to 600 MB/s on text and
/// JSON, 70 to 160 MB/s on random bytes), against some ten microseconds for going there and back.
///
/// What is smaller is compressed in place, by a state of its own: 0.4 MB, whose setting up takes 3
/// of the 7 to 10 us for a message of 1 KiB, and 3 of the 12 to 25 us for one of 4 KiB. Kept with
/// each stream it would cost more memory than that is worth.
const LARGE_PLAIN: usize = 64 * 1024;

/// Messages are decompressed in place until this much came out of them: twice as much, because that
/// is one and a half to two times as fast.
const LARGE_INFLATED: usize = 128 * 1024;

/// What is already this large when it comes is not tried in place.
const LARGE_WIRE: usize = LARGE_INFLATED / 2;

/// What a channel or a server compresses and decompresses with. Cloning shares it.
///
/// Large messages are worked on by threads of the runtime's blocking pool, so that they hold up no
/// other call; all together at most as many at once as the machine has processors.
#[derive(Clone, Debug)]
pub struct Compression(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    registry: CompressorRegistry,
    slots: Arc<Semaphore>,
}

impl Compression {
    /// Messages shorter than 1 KiB gain less by compression than it costs.
    pub const DEFAULT_MIN_BYTES: usize = 1024;

    /// Uses these compressors.
    #[must_use]
    pub fn new(registry: CompressorRegistry) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            registry,
            slots: Arc::new(Semaphore::new(processors)),
        }))
    }

    /// The compressors.
    #[must_use]
    pub fn registry(&self) -> &CompressorRegistry {
        &self.0.registry
    }

    /// For a stream whose messages are compressed. Shorter ones than `min_bytes` are sent as they
    /// are.
    #[must_use]
    pub fn compress(&self, encoding: Encoding, min_bytes: usize) -> Compress {
        Compress {
            encoding,
            min_bytes,
            compression: self.clone(),
        }
    }

    /// For a stream whose messages may be compressed.
    #[must_use]
    pub fn decompress(&self, encoding: Encoding) -> Decompress {
        Decompress {
            encoding,
            compression: self.clone(),
            work: None,
        }
    }

    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, FrameError> + Send + Sync + 'static,
        lost: impl FnOnce(io::Error) -> FrameError + Send + Sync + 'static,
    ) -> Work<T> {
        let slots = Arc::clone(&self.0.slots);
        Work(Box::pin(async move {
            let Ok(runtime) = Handle::try_current() else {
                return work();
            };
            let done = match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => on_the_pool(&runtime, Some(slot), work).await,
                // A task waits for a slot, not this future: whoever has it may leave it unpolled,
                // and the slot that it was given with it.
                Err(_taken) => {
                    let pool = runtime.clone();
                    let turn = runtime.spawn(async move {
                        // Nobody closes it.
                        let slot = slots.acquire_owned().await.ok();
                        on_the_pool(&pool, slot, work).await
                    });
                    AbortOnDrop(turn).await.and_then(|done| done)
                }
            };
            match done {
                Ok(done) => done,
                Err(error) => Err(lost(describe(&error))),
            }
        }))
    }
}

impl Default for Compression {
    /// Uses the compressors that the features brought.
    fn default() -> Self {
        Self::new(CompressorRegistry::default())
    }
}

/// How the messages of a stream are compressed.
#[derive(Clone, Debug)]
pub struct Compress {
    encoding: Encoding,
    min_bytes: usize,
    compression: Compression,
}

/// A message in its frame, as it goes to the wire.
#[derive(Debug)]
pub struct Framed {
    /// Flag, length and message.
    pub frame: Bytes,
    /// The size of the message before and after.
    pub size: MessageSize,
}

/// A message in its frame, compressed or about to be.
#[derive(Debug)]
pub enum Compressed {
    /// It was small.
    Done(Result<Framed, FrameError>),
    /// It is large: await it.
    Later(Work<Framed>),
}

impl Compress {
    /// What is told to the peer.
    #[must_use]
    pub const fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Whether a message of this size is compressed.
    #[must_use]
    pub const fn wants(&self, message_bytes: usize) -> bool {
        message_bytes >= self.min_bytes
    }

    /// Compresses a message in its frame, here and now. One under the threshold stays as it is.
    ///
    /// # Errors
    /// The compressor refused it.
    pub fn frame(&self, frame: Bytes) -> Result<Framed, FrameError> {
        let bytes = message_bytes(&frame);
        if self.wants(bytes) {
            return compress(&self.encoding, frame);
        }
        let size = MessageSize::new(bytes, bytes);
        Ok(Framed { frame, size })
    }

    /// Compresses a message in its frame: here and now if that is quick.
    #[must_use]
    pub fn start(&self, frame: Bytes) -> Compressed {
        let bytes = message_bytes(&frame);
        if bytes < LARGE_PLAIN || !self.wants(bytes) {
            return Compressed::Done(self.frame(frame));
        }
        let encoding = self.encoding.clone();
        let name = encoding.name();
        let work = move || compress(&encoding, frame);
        let lost = move |error| FrameError::Compress {
            encoding: name,
            error: Arc::new(error),
        };
        Compressed::Later(self.compression.work(work, lost))
    }
}

/// How the messages of a stream are decompressed, and the large one that is being worked on.
#[derive(Debug)]
pub struct Decompress {
    encoding: Encoding,
    compression: Compression,
    work: Option<Work<Inflated>>,
}

/// A message, and how large it was on the wire.
type Inflated = (Payload, usize);

impl Decompress {
    /// True while a message is being worked on.
    pub(super) const fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Decompresses a message of at most `limit` bytes; `None` if that takes long: then poll.
    pub(super) fn start(
        &mut self,
        message: Payload,
        limit: usize,
    ) -> Option<Result<Inflated, FrameError>> {
        let wire = message.len();
        if wire < LARGE_WIRE {
            let quick = limit.min(LARGE_INFLATED);
            // Sharing the bytes: it may turn out to be large.
            match self.encoding.decompress(message.clone(), quick) {
                Err(FrameError::Inflated { .. }) if quick < limit => {}
                result => return Some(result.map(|message| (message, wire))),
            }
        }
        let encoding = self.encoding.clone();
        let name = encoding.name();
        let work = move || Ok((encoding.decompress(message, limit)?, wire));
        let lost = move |error| FrameError::Decompress {
            wire,
            encoding: name,
            error: Arc::new(error),
        };
        self.work = Some(self.compression.work(work, lost));
        None
    }

    /// The message that is being worked on.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Inflated, FrameError>> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(Ok(Inflated::default()));
        };
        let polled = Pin::new(work).poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

/// Compressing or decompressing on another thread. Dropped, its result is dropped too.
pub struct Work<T>(Pin<Box<dyn Future<Output = Result<T, FrameError>> + Send + Sync>>);

impl<T> Future for Work<T> {
    type Output = Result<T, FrameError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// Works on a thread of the blocking pool. The slot is kept until that is done, even if nobody waits
/// for it any more.
async fn on_the_pool<R: Send + 'static>(
    runtime: &Handle,
    slot: Option<OwnedSemaphorePermit>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, JoinError> {
    let task = runtime.spawn_blocking(move || {
        let _slot = slot;
        work()
    });
    AbortOnDrop(task).await
}

/// Work that nobody waits for and that has not begun is not done.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn describe(error: &JoinError) -> io::Error {
    io::Error::other(match error.is_panic() {
        true => "the compressor panicked",
        false => "the runtime is shutting down",
    })
}

fn compress(encoding: &Encoding, frame: Bytes) -> Result<Framed, FrameError> {
    let bytes = message_bytes(&frame);
    let frame = encoding.compress_frame(frame)?;
    let size = MessageSize::new(bytes, message_bytes(&frame));
    Ok(Framed { frame, size })
}

/// Flag and length stand in front of a message.
fn message_bytes(frame: &Bytes) -> usize {
    frame.len().saturating_sub(5)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::sync::Mutex;

    #[tokio::test]
    async fn work_that_is_not_polled_keeps_no_slot_from_others() {
        let compression = Compression::default();
        let gate = Arc::new(Mutex::new(()));
        let work = || {
            let gate = Arc::clone(&gate);
            let work = move || {
                drop(gate.lock());
                Ok(())
            };
            compression.work(work, |_| FrameError::NoEncoding)
        };
        let held = gate.lock();
        // As many as there are slots, and as many that wait for one; none is polled again.
        let slots = compression.0.slots.available_permits();
        let mut asleep: Vec<_> = (0..2 * slots).map(|_| work()).collect();
        for each in &mut asleep {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(each).poll(&mut cx).is_pending());
        }
        assert_eq!(compression.0.slots.available_permits(), 0);
        drop(held);
        let done = tokio::time::timeout(Duration::from_secs(10), work()).await;
        done.expect("a slot").expect("done");
        drop(asleep);
    }
}
