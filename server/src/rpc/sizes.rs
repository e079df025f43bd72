//! What the task of an RPC takes in memory: upper bounds, today's numbers. Growth that is meant
//! writes the new number down, and its commit says what it buys.

use std::sync::Arc;

use bytes::Bytes;
use trunkline_core::{Method, MethodDescriptor, RawCodec, Response, Shape, Status};

use super::{Incoming, Outcome, RequestContext, Rpc, run};
use crate::handler::Serve;
use crate::stream::{Receiver, Sender};

struct Echo;

impl Method for Echo {
    type Request = Bytes;
    type Response = Bytes;
    type Codec = RawCodec;
    const DESCRIPTOR: &'static MethodDescriptor =
        &MethodDescriptor::new("t.Echo", "Echo", "/t.Echo/Echo", Shape::Unary);
}

struct Service;

impl Serve<Service> for Echo {
    async fn serve(_: &Service, _: &RequestContext, call: Incoming<Self>) -> Outcome {
        match call.only().await {
            Ok((request, call)) => call.reply(async { Ok(Response::new(request)) }).await,
            Err(outcome) => outcome,
        }
    }
}

struct Chat;

impl Method for Chat {
    type Request = Bytes;
    type Response = Bytes;
    type Codec = RawCodec;
    const DESCRIPTOR: &'static MethodDescriptor =
        &MethodDescriptor::new("t.Chat", "Chat", "/t.Chat/Chat", Shape::Bidi);
}

async fn mirror(mut requests: Receiver<Bytes>, mut responses: Sender<Bytes>) -> Result<(), Status> {
    while let Some(message) = requests.recv().await? {
        responses.send(&message).await?;
    }
    Ok(())
}

impl Serve<Service> for Chat {
    fn serve(
        _: &Service,
        _: &RequestContext,
        call: Incoming<Self>,
    ) -> impl Future<Output = Outcome> + Send {
        let (requests, responses, rest) = call.split();
        rest.finish(mirror(requests, responses))
    }
}

/// The size of what a function returns, without calling it.
const fn output<A, B, F>(_: &impl FnOnce(A, B) -> F) -> usize {
    size_of::<F>()
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_task_of_an_rpc_does_not_grow_unseen() {
    let task = output::<Arc<Service>, Rpc, _>(&run::<Echo, Service>);
    let stream = output::<Arc<Service>, Rpc, _>(&run::<Chat, Service>);
    let sizes = [
        ("task of a unary RPC", task, 800),
        ("task of a stream that echoes", stream, 712),
        ("Sender", size_of::<Sender<Bytes>>(), 8),
        ("Receiver", size_of::<Receiver<Bytes>>(), 16),
        ("Rpc", size_of::<Rpc>(), 312),
        ("RequestContext", size_of::<RequestContext>(), 128),
        ("Incoming", size_of::<Incoming<Echo>>(), 80),
    ];
    let grown: Vec<_> = sizes
        .iter()
        .filter(|(_, size, bound)| size > bound)
        .collect();
    assert!(grown.is_empty(), "name, size, bound: {grown:#?}");
}
