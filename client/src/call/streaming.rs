//! Awaited calls that stream: each is ready as soon as the request's head is on its way. None
//! waits for the server's headers, because a server may wait for the first message before it
//! sends any.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Codec, Method, Status};
use trunkline_transport::stream::{RecvHalf, SendHalf};

use super::one_request::OneRequest;
use super::opening::Opening;
use super::options::Options;
use super::summary::Summary;
use super::unary::polled_again;
use crate::channel::ChannelRef;
use crate::stream::{Receiver, Sender};

/// An awaited server-streaming call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct ServerStreamingFuture<'a, M: Method>(Option<OneRequest<'a, M>>);

impl<'a, M: Method> ServerStreamingFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        Self(Some(OneRequest::new(channel, request, options)))
    }
}

// Nothing in it is ever pinned.
impl<M: Method> Unpin for ServerStreamingFuture<'_, M> {}

impl<M: Method> Future for ServerStreamingFuture<'_, M> {
    type Output = Result<Receiver<M::Response>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(request) = &mut self.0 else {
            return Poll::Ready(Err(polled_again()));
        };
        let opened = ready!(request.poll(cx));
        let Some(request) = self.0.take() else {
            return Poll::Ready(Err(polled_again()));
        };
        Poll::Ready(match opened {
            Ok(half) => Ok(Receiver::single_request(half, request.into_owned())),
            Err(why) => Err(request.opening.edge(why)),
        })
    }
}

/// An awaited client-streaming call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct ClientStreamingFuture<'a, M: Method>(OpenStream<'a, M>);

impl<'a, M: Method> ClientStreamingFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        Self(OpenStream::new(channel, options))
    }
}

impl<M: Method> Future for ClientStreamingFuture<'_, M> {
    type Output = Result<(Sender<M::Request>, Summary<M::Response>), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (send, recv) = ready!(self.0.poll_once(cx))?;
        let opening = &self.0.opening;
        let sender = Sender::new(send, opening);
        Poll::Ready(Ok((sender, Summary::new(recv, opening))))
    }
}

/// An awaited bidirectional call; made by awaiting a [`Call`](crate::Call).
///
/// Dropping it resets the stream, if there is one yet.
#[must_use = "futures do nothing unless awaited"]
pub struct BidiFuture<'a, M: Method>(OpenStream<'a, M>);

impl<'a, M: Method> BidiFuture<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        Self(OpenStream::new(channel, options))
    }
}

impl<M: Method> Future for BidiFuture<'_, M> {
    type Output = Result<(Sender<M::Request>, Receiver<M::Response>), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (send, recv) = ready!(self.0.poll_once(cx))?;
        let opening = &self.0.opening;
        let sender = Sender::new(send, opening);
        Poll::Ready(Ok((sender, Receiver::bidi(recv, opening))))
    }
}

pub(crate) type Halves<M> = (
    SendHalf<<M as Method>::Request>,
    RecvHalf<<M as Method>::Response>,
);

/// Opens a stream whose requests follow later.
pub(crate) struct OpenStream<'a, M: Method> {
    pub(crate) opening: Opening<'a>,
    codec: M::Codec,
    done: bool,
    method: PhantomData<fn() -> M>,
}

impl<'a, M: Method> OpenStream<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, options: Options) -> Self {
        let codec = M::Codec::default();
        Self {
            opening: Opening::new(channel, M::DESCRIPTOR, codec.subtype(), options),
            codec,
            done: false,
            method: PhantomData,
        }
    }

    /// Opens a stream. May be polled again for another one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Halves<M>, Status>> {
        let codec = &self.codec;
        let opened = self.opening.poll(cx, |start| {
            let (connection, permit) = (start.connection, start.permit);
            let (send, recv) =
                connection.start_streaming(permit, &start.head, start.max_receive_bytes)?;
            let send = SendHalf::client(send, Box::new(codec.clone()), start.max_send_bytes);
            Ok((send, RecvHalf::client(recv, Box::new(codec.clone()))))
        });
        opened.map_err(|why| self.opening.edge(why))
    }

    pub(crate) fn into_owned(self) -> OpenStream<'static, M> {
        OpenStream {
            opening: self.opening.into_owned(),
            codec: self.codec,
            done: self.done,
            method: PhantomData,
        }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<Halves<M>, Status>> {
        if self.done {
            return Poll::Ready(Err(polled_again()));
        }
        let opened = ready!(self.poll(cx));
        self.done = true;
        Poll::Ready(opened)
    }
}

// Nothing in it is ever pinned.
impl<M: Method> Unpin for OpenStream<'_, M> {}

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
