//! One call: set up with a builder, made by awaiting it.

mod auth;
mod expiry;
mod intercepted;
mod messages;
mod one_request;
mod opening;
mod options;
mod ready;
mod restart;
mod single;
mod streaming;
mod summary;
mod trace;
mod unary;
mod upload;
mod watch;

use std::fmt;
use std::time::Duration;

use trunkline_core::{Deadline, Inherited, Method};

pub(crate) use expiry::Expiry;
pub use messages::{AsIterator, AsStream, IntoMessages, Iter};
pub(crate) use one_request::OneRequest;
pub(crate) use opening::{Opening, was_taken};
pub(crate) use options::Options;
pub(crate) use restart::Restart;
pub(crate) use single::waiting_for;
pub use streaming::{BidiFuture, ClientStreamingFuture, ServerStreamingFuture};
pub use summary::Summary;
pub(crate) use trace::CallSpan;
pub use unary::UnaryFuture;
pub use upload::UploadFuture;
pub(crate) use watch::{AttemptEnd, CallEnd, Measured, Watch};

use crate::channel::{Channel, ChannelRef};
use crate::credentials::CallCredentials;
use streaming::OpenStream;

/// A call that has not been made yet: set its options, then await it.
///
/// What awaiting gives depends on the shape `K` of the method:
///
/// | `K` | result |
/// |---|---|
/// | [`Unary`] | `Response<M::Response>` |
/// | [`ServerStreaming`] | [`Receiver`](crate::Receiver) |
/// | [`ClientStreaming`] | ([`Sender`](crate::Sender), [`Summary`]), or with [`upload`](Self::upload) the `Response` |
/// | [`Bidi`] | ([`Sender`](crate::Sender), [`Receiver`](crate::Receiver)) |
///
/// Errors: the server's status; UNAVAILABLE while nothing can be reached, unless the call
/// [waits](Self::wait_for_ready); DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED for a message over a limit.
/// All name the method. Dropping the future, or a half, before the end cancels the call.
///
/// It borrows the channel, or the stub. [`owned`](Self::owned), said last, gives a future that
/// borrows nothing, for `tokio::spawn`, `JoinSet` and the like.
///
/// ```no_run
/// use std::time::Duration;
/// # use bytes::Bytes;
/// # use trunkline_core::{Method, MethodDescriptor, RawCodec, Shape, Status};
/// # struct Echo;
/// # impl Method for Echo {
/// #     type Request = Bytes;
/// #     type Response = Bytes;
/// #     type Codec = RawCodec;
/// #     const DESCRIPTOR: &'static MethodDescriptor =
/// #         &MethodDescriptor::new("demo.Echo", "Echo", "/demo.Echo/Echo", Shape::Unary);
/// # }
/// # async fn example(channel: trunkline_client::Channel) -> Result<(), Status> {
/// let reply = channel
///     .unary::<Echo>(Bytes::from_static(b"hello"))
///     .timeout(Duration::from_secs(1))
///     .metadata("tenant", "a")
///     .await?;
/// assert_eq!(&reply[..], b"hello");
/// # Ok(()) }
/// ```
#[must_use = "a call is made by awaiting it"]
pub struct Call<'a, M: Method, K: Kind> {
    channel: ChannelRef<'a>,
    input: K::Input<M>,
    options: Options,
}

/// The shape of a method as a type: [`Unary`], [`ServerStreaming`], [`ClientStreaming`], [`Bidi`].
pub trait Kind: sealed::Sealed + Sized + 'static {
    /// What the call has to be given before it is made: the request, or nothing.
    type Input<M: Method>: Send + Sync;

    /// The future of the call: what awaiting it polls, and what [`Call::owned`] gives.
    type Future<'a, M: Method>: Future + Send;

    /// Makes the call; [`Call::into_future`] under a name that knows the shape.
    fn start<M: Method>(call: Call<'_, M, Self>) -> Self::Future<'_, M>;
}

mod sealed {
    /// Keeps [`Kind`](super::Kind) to the four shapes that gRPC has.
    #[expect(unnameable_types, reason = "nobody else may implement it")]
    pub trait Sealed {}
}

/// One request, one response.
#[derive(Clone, Copy, Debug)]
pub struct Unary;

/// One request, many responses.
#[derive(Clone, Copy, Debug)]
pub struct ServerStreaming;

/// Many requests, one response.
#[derive(Clone, Copy, Debug)]
pub struct ClientStreaming;

/// Many messages both ways.
#[derive(Clone, Copy, Debug)]
pub struct Bidi;

impl sealed::Sealed for Unary {}
impl sealed::Sealed for ServerStreaming {}
impl sealed::Sealed for ClientStreaming {}
impl sealed::Sealed for Bidi {}

impl Kind for Unary {
    type Input<M: Method> = M::Request;
    type Future<'a, M: Method> = UnaryFuture<'a, M>;

    #[inline]
    fn start<M: Method>(call: Call<'_, M, Self>) -> UnaryFuture<'_, M> {
        UnaryFuture::new(call.channel, call.input, call.options)
    }
}

impl Kind for ServerStreaming {
    type Input<M: Method> = M::Request;
    type Future<'a, M: Method> = ServerStreamingFuture<'a, M>;

    fn start<M: Method>(call: Call<'_, M, Self>) -> ServerStreamingFuture<'_, M> {
        ServerStreamingFuture::new(call.channel, call.input, call.options)
    }
}

impl Kind for ClientStreaming {
    type Input<M: Method> = ();
    type Future<'a, M: Method> = ClientStreamingFuture<'a, M>;

    fn start<M: Method>(call: Call<'_, M, Self>) -> ClientStreamingFuture<'_, M> {
        ClientStreamingFuture::new(call.channel, call.options)
    }
}

impl Kind for Bidi {
    type Input<M: Method> = ();
    type Future<'a, M: Method> = BidiFuture<'a, M>;

    fn start<M: Method>(call: Call<'_, M, Self>) -> BidiFuture<'_, M> {
        BidiFuture::new(call.channel, call.options)
    }
}

impl<'a, M: Method, K: Kind> Call<'a, M, K> {
    pub(crate) fn new(channel: &'a Channel, input: K::Input<M>) -> Self {
        Self {
            channel: ChannelRef::Borrowed(channel),
            input,
            options: Options::default(),
        }
    }

    /// Bounds the whole call, counted from when it is first polled. The server is told.
    ///
    /// With a deadline set too, the earlier of the two counts.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Ends the call at this point in time. The server is told what is left when the call leaves.
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Appends a metadata entry of printable ASCII.
    ///
    /// A key or value that cannot be sent fails the call when it is awaited, with INTERNAL naming
    /// the key.
    pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.options.append(key.as_ref(), value.as_ref());
        self
    }

    /// Appends a metadata entry of any bytes; its key ends in `-bin`.
    ///
    /// Fails as [`metadata`](Self::metadata) does.
    pub fn metadata_bin(mut self, key: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.options.append_bin(key.as_ref(), value.as_ref());
        self
    }

    /// Whether the call waits, bounded by its deadline, while no server can be reached, instead
    /// of failing at once. Default: the channel's.
    pub const fn wait_for_ready(mut self, wait: bool) -> Self {
        self.options.wait_for_ready = Some(wait);
        self
    }

    /// The largest response message taken, in bytes. Default: the channel's.
    pub const fn max_receive_message_bytes(mut self, bytes: usize) -> Self {
        self.options.max_receive_message_bytes = Some(bytes);
        self
    }

    /// The largest request message sent, in bytes. Default: the channel's.
    pub const fn max_send_message_bytes(mut self, bytes: usize) -> Self {
        self.options.max_send_message_bytes = Some(bytes);
        self
    }

    /// Shows the server who calls; beside the channel's credentials, if it has any.
    ///
    /// Fails the call with UNAUTHENTICATED where others can read the connection, unless the
    /// credentials [need no privacy](CallCredentials::needs_privacy). Nothing is sent then.
    pub fn credentials(mut self, credentials: impl CallCredentials) -> Self {
        self.options.add_credentials(credentials.boxed());
        self
    }

    /// Compresses the requests with this encoding, such as `gzip`; `identity` leaves them as they
    /// are. Default: the channel's.
    ///
    /// Messages under the channel's
    /// [`compression_min_bytes`](crate::ChannelBuilder::compression_min_bytes) stay as they are.
    /// One that the channel has no compressor for fails the call when it is awaited, with INTERNAL;
    /// one that the server does not know fails it with UNIMPLEMENTED.
    pub fn compression(mut self, encoding: impl AsRef<str>) -> Self {
        self.options
            .compress(encoding.as_ref(), self.channel.shared());
        self
    }

    /// Makes the call part of another one, usually the RPC being handled: `.within(cx)`.
    ///
    /// The earliest deadline wins, and the inherited metadata is appended.
    pub fn within(mut self, parent: impl Into<Inherited>) -> Self {
        self.options.inherit(parent.into());
        self
    }

    /// The call as a future that borrows nothing, at the price of one reference count: for
    /// `tokio::spawn`, `JoinSet`, `join_all` and the like. Options are set before it.
    ///
    /// For a call that uploads, say it to the upload: `.upload(messages).owned()`.
    ///
    /// ```no_run
    /// # use bytes::Bytes;
    /// # use trunkline_core::{Method, MethodDescriptor, RawCodec, Shape, Status};
    /// # struct Echo;
    /// # impl Method for Echo {
    /// #     type Request = Bytes;
    /// #     type Response = Bytes;
    /// #     type Codec = RawCodec;
    /// #     const DESCRIPTOR: &'static MethodDescriptor =
    /// #         &MethodDescriptor::new("demo.Echo", "Echo", "/demo.Echo/Echo", Shape::Unary);
    /// # }
    /// # async fn example(channel: trunkline_client::Channel) -> Result<(), Status> {
    /// let call = channel.unary::<Echo>(Bytes::from_static(b"hello"));
    /// let task = tokio::spawn(call.metadata("tenant", "a").owned());
    /// let reply = task.await.expect("calls do not panic")?;
    /// # Ok(()) }
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub fn owned(self) -> K::Future<'static, M> {
        K::start(Call {
            channel: self.channel.into_owned(),
            input: self.input,
            options: self.options,
        })
    }
}

impl<'a, M: Method> Call<'a, M, ClientStreaming> {
    /// Sends all of `messages`, a stream or anything iterable, and gives the response.
    ///
    /// The answer is watched while sending: one that comes early stops and drops the messages and
    /// is returned. A message over the limit fails the call. Dropping the future cancels it.
    pub fn upload<Role, I>(self, messages: I) -> UploadFuture<'a, M, I::Stream>
    where
        I: IntoMessages<M::Request, Role>,
    {
        let open = OpenStream::new(self.channel, self.options);
        UploadFuture::new(open, messages.into_messages())
    }
}

impl<'a, M: Method, K: Kind> IntoFuture for Call<'a, M, K> {
    type Output = <K::Future<'a, M> as Future>::Output;
    type IntoFuture = K::Future<'a, M>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        K::start(self)
    }
}

impl<M: Method, K: Kind> fmt::Debug for Call<'_, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &M::DESCRIPTOR.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
