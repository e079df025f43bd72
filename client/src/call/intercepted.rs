//! Calls that go through interceptors: the same calls, started from beneath them.

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use trunkline_core::{Codec, Metadata, Method, MethodDescriptor, Response, Stage, Status};
use trunkline_transport::stream::{RecvHalf, SendHalf};

use super::expiry::Expiry;
use super::one_request::OneRequest;
use super::opening::Opening;
use super::options::Options;
use super::streaming::Pair;
use super::unary::{Exchange, polled_again};
use super::watch::CallEnd;
use crate::channel::{Channel, ChannelRef};
use crate::exclusive::Exclusive;
use crate::interceptor::{
    CallContext, Chain, ClientStream, Ends, Launch, Next, OnEnd, Outcome, Product, Started,
};
use crate::stream::Receiver;

/// A call on its way through the interceptors, until its stream is open.
pub(crate) struct Starting {
    method: &'static MethodDescriptor,
    /// Until it is first polled.
    fresh: Option<Fresh>,
    running: Option<Exclusive<Started>>,
    expiry: Expiry,
    end: Option<CallEnd>,
}

struct Fresh {
    channel: Channel,
    chain: Chain,
    launch: Arc<dyn Launch>,
    options: Options,
}

impl Starting {
    fn new<M: Method>(
        channel: ChannelRef<'_>,
        chain: Chain,
        launch: Arc<dyn Launch>,
        options: Options,
    ) -> Self {
        Self {
            method: M::DESCRIPTOR,
            fresh: Some(Fresh {
                channel: channel.into_channel(),
                chain,
                launch,
                options,
            }),
            running: None,
            expiry: Expiry::never(),
            end: None,
        }
    }

    pub(crate) fn unary<M: Method>(
        channel: ChannelRef<'_>,
        chain: Chain,
        request: M::Request,
        options: Options,
    ) -> Self {
        let launch: LaunchUnary<M> = LaunchUnary(Arc::new(request));
        Self::new::<M>(channel, chain, Arc::new(launch), options)
    }

    pub(crate) fn server_streaming<M: Method>(
        channel: ChannelRef<'_>,
        chain: Chain,
        request: M::Request,
        options: Options,
    ) -> Self {
        let launch: LaunchDown<M> = LaunchDown(Arc::new(request));
        Self::new::<M>(channel, chain, Arc::new(launch), options)
    }

    pub(crate) fn streaming<M: Method, P: Pair<M>>(
        channel: ChannelRef<'_>,
        chain: Chain,
        options: Options,
    ) -> Self {
        let launch: LaunchPair<M, P> = LaunchPair(PhantomData);
        Self::new::<M>(channel, chain, Arc::new(launch), options)
    }

    /// Ready with what the caller gets once all interceptors are through. The deadline bounds
    /// them.
    pub(crate) fn poll<P: Product>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Box<P>, Status>> {
        let result = ready!(self.poll_chain(cx));
        Poll::Ready(match result.and_then(product_of::<P>) {
            Ok(mut product) => {
                if let Some(end) = self.end.take() {
                    product.measure(end);
                }
                Ok(product)
            }
            Err(why) => {
                let why = self.expiry.edge(why, self.method.path);
                if let Some(end) = self.end.take() {
                    end.tell(Err(&why));
                }
                Err(why)
            }
        })
    }

    fn poll_chain(&mut self, cx: &mut Context<'_>) -> Poll<Result<ClientStream, Status>> {
        if let Some(mut fresh) = self.fresh.take() {
            let shared = &fresh.channel.0;
            let begun = fresh.options.begin(shared);
            let deadline = begun.as_ref().ok().and_then(Expiry::deadline);
            self.end = CallEnd::begin(shared, self.method, deadline);
            self.expiry = begun?;
            let (expiry, options) = (self.expiry.again(), fresh.options);
            let measured = self.end.as_ref().and_then(CallEnd::measured);
            let call = CallContext::new(self.method, fresh.channel, options, expiry, measured);
            let next = Next::new(fresh.chain, fresh.launch);
            self.running = Some(Exclusive::new(next.step(call)));
        }
        let Some(running) = &mut self.running else {
            return Poll::Ready(Err(polled_again()));
        };
        let result = match running.poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending if self.expiry.poll(cx).is_pending() => return Poll::Pending,
            Poll::Pending => Err(self.expiry.status(Stage::Request, "in the interceptors")),
        };
        self.running = None;
        Poll::Ready(result)
    }
}

/// What the stream holds for the caller.
fn product_of<P: Product>(stream: ClientStream) -> Result<Box<P>, Status> {
    stream.into_product().ok_or_else(|| {
        Status::internal("an interceptor returned the stream of a call to another method")
    })
}

struct LaunchUnary<M: Method>(Arc<M::Request>);

impl<M: Method> Launch for LaunchUnary<M> {
    fn launch(&self, call: CallContext) -> Started {
        let mut request = OneRequest::<M, _>::beneath(Arc::clone(&self.0), call);
        Box::pin(async move {
            request.show().map_err(|why| request.opening.edge(why))?;
            let mut exchange = Exchange::new(request);
            let started = std::future::poll_fn(|cx| exchange.poll_start(cx)).await;
            match started {
                Ok(()) => Ok(ClientStream::new(M::DESCRIPTOR, Answer::new(exchange))),
                Err(why) => Err(exchange.edge(why)),
            }
        })
    }
}

struct LaunchDown<M: Method>(Arc<M::Request>);

impl<M: Method> Launch for LaunchDown<M> {
    fn launch(&self, call: CallContext) -> Started {
        let mut request = OneRequest::<M, _>::beneath(Arc::clone(&self.0), call);
        Box::pin(async move {
            request.show().map_err(|why| request.opening.edge(why))?;
            match std::future::poll_fn(|cx| request.poll(cx, |half| half)).await {
                Ok(half) => {
                    let receiver = Receiver::single_request(half, request);
                    Ok(ClientStream::new(M::DESCRIPTOR, receiver))
                }
                Err(why) => Err(request.opening.edge(why)),
            }
        })
    }
}

struct LaunchPair<M, P>(PhantomData<fn() -> (M, P)>);

impl<M: Method, P: Pair<M>> Launch for LaunchPair<M, P> {
    fn launch(&self, call: CallContext) -> Started {
        let codec = M::Codec::default();
        let mut opening = call.into_opening(codec.subtype());
        Box::pin(async move {
            let open = |cx: &mut Context<'_>| open_pair::<M>(&mut opening, &codec, cx);
            match std::future::poll_fn(open).await {
                Ok((send, recv)) => {
                    let pair = P::new(send, recv, &mut opening);
                    Ok(ClientStream::new(M::DESCRIPTOR, pair))
                }
                Err(why) => Err(opening.edge(why)),
            }
        })
    }
}

pub(crate) type Halves<M> = (
    SendHalf<<M as Method>::Request>,
    RecvHalf<<M as Method>::Response>,
);

/// Opens a stream whose requests follow later.
pub(crate) fn open_pair<M: Method>(
    opening: &mut Opening<'_>,
    codec: &M::Codec,
    cx: &mut Context<'_>,
) -> Poll<Result<Halves<M>, Status>> {
    opening.poll(cx, |start| {
        let (connection, permit) = (start.connection, start.permit);
        let (send, recv) =
            connection.start_streaming(permit, &start.head, start.max_receive_bytes)?;
        let send = SendHalf::client(send, Box::new(codec.clone()), start.max_send_bytes)
            .compressing(start.compress.map(Box::new));
        let recv = RecvHalf::client(recv, Box::new(codec.clone())).with_timeout(start.head.timeout);
        let hooks = start.hooks;
        Ok((
            send.with_hooks(hooks.cloned()),
            recv.with_hooks(hooks.cloned()),
        ))
    })
}

/// The answer of a unary call that has been started, and who wants to see it before the caller.
pub(crate) struct Answer<M: Method> {
    exchange: Exchange<'static, M, Arc<M::Request>>,
    ends: Ends,
    ended: Option<(Outcome, Option<M::Response>)>,
}

impl<M: Method> Answer<M> {
    const fn new(exchange: Exchange<'static, M, Arc<M::Request>>) -> Self {
        Self {
            exchange,
            ends: Ends::new(M::DESCRIPTOR.path),
            ended: None,
        }
    }

    /// The response as the caller gets it. Ready once.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<M::Response>, Status>> {
        ready!(self.poll_end(cx));
        let Some((outcome, message)) = self.ended.take() else {
            return Poll::Ready(Err(polled_again()));
        };
        let result = outcome.into_response(message);
        let result = result.map_err(|why| self.exchange.edge(why));
        self.ends.call_ended(result.as_ref().map(|_| ()));
        Poll::Ready(result)
    }
}

impl<M: Method> Product for Answer<M> {
    fn on_end(&mut self, end: OnEnd) {
        self.ends.push(end);
    }

    fn measure(&mut self, end: CallEnd) {
        self.ends.call = Some(end);
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended.is_none() {
            let result = ready!(self.exchange.poll(cx));
            self.ended = Some(match result {
                Ok(response) => {
                    let (headers, message, trailers) = response.into_parts();
                    (Outcome::new(Ok(()), headers, trailers), Some(message))
                }
                Err(why) => {
                    let (headers, message) = self.exchange.remains();
                    let why = self.exchange.edge(why);
                    let outcome = Outcome::new(Err(why), headers, Metadata::new());
                    (outcome, message)
                }
            });
        }
        if let Some((outcome, _)) = &mut self.ended {
            self.ends.tell(outcome);
        }
        Poll::Ready(())
    }

    fn outcome(&mut self) -> Option<&mut Outcome> {
        self.ended.as_mut().map(|(outcome, _)| outcome)
    }
}
