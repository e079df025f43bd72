//! RPCs whose server's side is in the hands of a test.

use std::marker::PhantomData;

use tokio::sync::{mpsc, oneshot};
use trunkline_core::{Metadata, Method, MethodDescriptor, Shape, Status};

use super::Stub;
use crate::handler::Serve;
use crate::rpc::{Incoming, Outcome, RequestContext};
use crate::stream::{Receiver, Sender};

impl Stub {
    /// Hands every RPC of this method to the test, whatever its shape: to play the server step by
    /// step, or to call a streaming handler with halves of a test's own RPC.
    ///
    /// The RPC goes on until its [`HandCall`] is finished or dropped.
    pub fn by_hand<M: Method>(self) -> (Self, HandCalls<M>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let stub = self.add_as::<ByHand<M>, _>(sender);
        (stub, HandCalls(receiver))
    }
}

/// The RPCs of one method, each as it comes.
#[derive(Debug)]
pub struct HandCalls<M: Method>(mpsc::UnboundedReceiver<HandCall<M>>);

impl<M: Method> HandCalls<M> {
    /// The next RPC; waits for ever when the server is gone.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> HandCall<M> {
        match self.0.recv().await {
            Some(call) => call,
            None => std::future::pending().await,
        }
    }
}

/// The server's side of one RPC.
#[derive(Debug)]
pub struct HandCall<M: Method> {
    /// What the client sent along.
    pub metadata: Metadata,
    /// What the client sends.
    pub requests: Receiver<M::Request>,
    /// What the client gets.
    pub responses: Sender<M::Response>,
    done: oneshot::Sender<Result<(), Status>>,
}

impl<M: Method> HandCall<M> {
    /// The halves, as a handler takes them, and what ends the RPC.
    #[must_use]
    pub fn into_halves(self) -> (Receiver<M::Request>, Sender<M::Response>, HandEnd) {
        (self.requests, self.responses, HandEnd(self.done))
    }

    /// Ends the RPC with what a handler would return.
    pub fn finish(self, result: Result<(), Status>) {
        HandEnd(self.done).finish(result);
    }
}

/// What ends an RPC whose halves are elsewhere. Dropping it ends it with CANCELLED.
#[derive(Debug)]
pub struct HandEnd(oneshot::Sender<Result<(), Status>>);

impl HandEnd {
    /// Ends the RPC with what a handler has returned.
    pub fn finish(self, result: Result<(), Status>) {
        // The client may be gone already.
        let _ = self.0.send(result);
    }
}

/// Method `M`, but both sides stream: a test plays every shape with the same two halves.
struct ByHand<M>(PhantomData<fn() -> M>);

impl<M: Method> Method for ByHand<M> {
    type Request = M::Request;
    type Response = M::Response;
    type Codec = M::Codec;
    const DESCRIPTOR: &'static MethodDescriptor = &MethodDescriptor::new(
        M::DESCRIPTOR.service,
        M::DESCRIPTOR.name,
        M::DESCRIPTOR.path,
        Shape::Bidi,
    );
}

impl<M: Method> Serve<mpsc::UnboundedSender<HandCall<M>>> for ByHand<M> {
    async fn serve(
        test: &mpsc::UnboundedSender<HandCall<M>>,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> Outcome {
        let (requests, responses, rest) = call.split();
        let (done, over) = oneshot::channel();
        let call = HandCall {
            metadata: cx.metadata().clone(),
            requests,
            responses,
            done,
        };
        let handed = test.send(call).is_ok();
        rest.finish(async {
            let dropped = || Err(Status::cancelled("the test has dropped the call"));
            if handed {
                over.await.unwrap_or_else(|_dropped| dropped())
            } else {
                dropped()
            }
        })
        .await
    }
}
