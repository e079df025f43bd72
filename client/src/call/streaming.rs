//! Awaited calls that stream: each is ready as soon as the request's head is on its way. None
//! waits for the server's headers, because a server may wait for the first message before it
//! sends any.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Codec, Method, Status};
use trunkline_transport::stream::{RecvHalf, SendHalf};

use super::intercepted::{Starting, open_pair};
use super::one_request::OneRequest;
use super::opening::Opening;
use super::options::Options;
use super::summary::Summary;
use super::unary::polled_again;
use super::watch::CallEnd;
use crate::channel::ChannelRef;
use crate::interceptor::{OnEnd, Product};
use crate::stream::{Receiver, Sender};

/// An awaited server-streaming call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct ServerStreamingFuture<'a, M: Method>(Down<'a, M>);

#[expect(
    clippy::large_enum_variant,
    reason = "only the way without interceptors must be free of boxes"
)]
enum Down<'a, M: Method> {
    Direct(OneRequest<'a, M>),
    /// In the interceptors.
    Starting(Box<Starting>),
    Done,
}

impl<'a, M: Method> ServerStreamingFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        Self(match channel.chain().cloned() {
            None => Down::Direct(OneRequest::new(channel, request, options)),
            Some(chain) => {
                let starting = Starting::server_streaming::<M>(channel, chain, request, options);
                Down::Starting(Box::new(starting))
            }
        })
    }
}

// Nothing in it is ever pinned.
impl<M: Method> Unpin for ServerStreamingFuture<'_, M> {}

impl<M: Method> Future for ServerStreamingFuture<'_, M> {
    type Output = Result<Receiver<M::Response>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let opened = match &mut self.0 {
            Down::Direct(request) => ready!(request.poll(cx, |half| half)),
            Down::Starting(starting) => {
                let started = ready!(starting.poll(cx));
                self.0 = Down::Done;
                return Poll::Ready(started.map(|receiver| *receiver));
            }
            Down::Done => return Poll::Ready(Err(polled_again())),
        };
        let Down::Direct(mut request) = std::mem::replace(&mut self.0, Down::Done) else {
            return Poll::Ready(Err(polled_again()));
        };
        Poll::Ready(match opened {
            Ok(half) => Ok(Receiver::single_request(half, request.into_owned())),
            Err(why) => Err(request.opening.fail(why)),
        })
    }
}

/// An awaited client-streaming call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct ClientStreamingFuture<'a, M: Method>(OpenStream<'a, M, Up<M>>);

impl<'a, M: Method> ClientStreamingFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        Self(OpenStream::new(channel, options))
    }
}

impl<M: Method> Future for ClientStreamingFuture<'_, M> {
    type Output = Result<(Sender<M::Request>, Summary<M::Response>), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

/// An awaited bidirectional call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct BidiFuture<'a, M: Method>(OpenStream<'a, M, Both<M>>);

impl<'a, M: Method> BidiFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        Self(OpenStream::new(channel, options))
    }
}

impl<M: Method> Future for BidiFuture<'_, M> {
    type Output = Result<(Sender<M::Request>, Receiver<M::Response>), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

/// What a caller gets of a call whose requests follow later.
pub(crate) trait Pair<M: Method>: Product {
    fn new(
        send: SendHalf<M::Request>,
        recv: RecvHalf<M::Response>,
        opening: &mut Opening<'_>,
    ) -> Self;
}

/// The pair of a client-streaming call.
pub(crate) type Up<M> = (
    Sender<<M as Method>::Request>,
    Summary<<M as Method>::Response>,
);

/// The pair of a bidirectional call.
type Both<M> = (
    Sender<<M as Method>::Request>,
    Receiver<<M as Method>::Response>,
);

impl<M: Method> Pair<M> for Up<M> {
    fn new(
        send: SendHalf<M::Request>,
        recv: RecvHalf<M::Response>,
        opening: &mut Opening<'_>,
    ) -> Self {
        (Sender::new(send, opening), Summary::new(recv, opening))
    }
}

impl<M: Method> Pair<M> for Both<M> {
    fn new(
        send: SendHalf<M::Request>,
        recv: RecvHalf<M::Response>,
        opening: &mut Opening<'_>,
    ) -> Self {
        (Sender::new(send, opening), Receiver::bidi(recv, opening))
    }
}

impl<T: Send + Sync + 'static, U: Send + Sync + 'static> Product for (Sender<T>, Summary<U>) {
    fn on_end(&mut self, end: OnEnd) {
        self.1.ends().push(end);
    }

    fn measure(&mut self, end: CallEnd) {
        self.1.ends().call = Some(end);
    }
}

impl<T: Send + Sync + 'static, U: Send + Sync + 'static> Product for (Sender<T>, Receiver<U>) {
    fn on_end(&mut self, end: OnEnd) {
        self.1.ends().push(end);
    }

    fn measure(&mut self, end: CallEnd) {
        self.1.ends().call = Some(end);
    }
}

/// Opens a stream whose requests follow later.
#[expect(
    clippy::large_enum_variant,
    reason = "only the way without interceptors must be free of boxes"
)]
pub(crate) enum OpenStream<'a, M: Method, P> {
    Direct(Opening<'a>, M::Codec, PhantomData<fn() -> P>),
    /// In the interceptors.
    Starting(Box<Starting>),
    Done,
}

impl<'a, M: Method, P: Pair<M>> OpenStream<'a, M, P> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        match channel.chain().cloned() {
            None => {
                let codec = M::Codec::default();
                let opening = Opening::new(channel, M::DESCRIPTOR, codec.subtype(), options);
                Self::Direct(opening, codec, PhantomData)
            }
            Some(chain) => {
                let starting = Starting::streaming::<M, P>(channel, chain, options);
                Self::Starting(Box::new(starting))
            }
        }
    }

    /// Opens the stream, once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<P, Status>> {
        let opened = match self {
            Self::Direct(opening, codec, _) => {
                let opened = ready!(open_pair::<M>(opening, codec, cx));
                match opened {
                    Ok((send, recv)) => Ok(P::new(send, recv, opening)),
                    Err(why) => Err(opening.fail(why)),
                }
            }
            Self::Starting(starting) => ready!(starting.poll(cx)).map(|pair| *pair),
            Self::Done => Err(polled_again()),
        };
        *self = Self::Done;
        Poll::Ready(opened)
    }

    pub(crate) fn into_owned(self) -> OpenStream<'static, M, P> {
        match self {
            Self::Direct(opening, codec, _) => {
                OpenStream::Direct(opening.into_owned(), codec, PhantomData)
            }
            Self::Starting(starting) => OpenStream::Starting(starting),
            Self::Done => OpenStream::Done,
        }
    }
}

// Nothing in it is ever pinned.
impl<M: Method, P> Unpin for OpenStream<'_, M, P> {}

impl<M: Method> fmt::Debug for ServerStreamingFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>("ServerStreamingFuture", f)
    }
}

impl<M: Method> fmt::Debug for ClientStreamingFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>("ClientStreamingFuture", f)
    }
}

impl<M: Method> fmt::Debug for BidiFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>("BidiFuture", f)
    }
}

fn debug<M: Method>(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("method", &M::DESCRIPTOR.path)
        .finish_non_exhaustive()
}
