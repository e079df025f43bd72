//! What a call costs in memory before any message: the sizes of the types that each one holds.
//!
//! The numbers are today's, as upper bounds. A change that makes one grow is seen here and in its
//! review: if the growth is meant, write the new number down and say in the commit what it buys.
//! One that shrinks fails too as soon as it leaves much room: lower the bound then.

use std::future::IntoFuture;

use trunkline::client::{Call, Receiver, Sender, Unary};
use trunkline::transport::stream::{RecvHalf, SendHalf};
use trunkline::{Metadata, RequestContext, Response, Status, client, server};
use trunkline_test_protos::echo::{Note, echo};

/// Bytes that a type may lie below its bound before the bound is to be lowered.
const SLACK: usize = 64;

macro_rules! sizes {
    ($($type:ty: $bound:literal;)*) => {
        &[$((stringify!($type), size_of::<$type>(), $bound)),*]
    };
}

type UnaryCall = Call<'static, echo::Once, Unary>;
type UnaryFuture = <UnaryCall as IntoFuture>::IntoFuture;

/// For 64-bit machines.
#[cfg(target_pointer_width = "64")]
const SIZES: &[(&str, usize, usize)] = sizes! {
    Status: 8;
    Result<(), Status>: 8;
    Metadata: 24;
    Response<Note>: 112;
    Note: 56;
    UnaryCall: 200;
    UnaryFuture: 664;
    Sender<Note>: 128;
    Receiver<Note>: 392;
    server::Sender<Note>: 8;
    server::Receiver<Note>: 16;
    SendHalf<Note>: 64;
    RecvHalf<Note>: 216;
    RequestContext: 128;
    client::Channel: 24;
};

#[cfg(target_pointer_width = "64")]
#[test]
fn what_each_call_holds_does_not_grow_unseen() {
    let wrong = |&&(_, size, bound): &&(&str, usize, usize)| size > bound || size + SLACK < bound;
    let wrong: Vec<_> = SIZES.iter().filter(wrong).collect();
    assert!(wrong.is_empty(), "name, size, bound: {wrong:#?}");
}
