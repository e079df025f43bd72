#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod balancer;
mod call;
mod channel;
#[doc(hidden)]
pub mod codegen;
mod credentials;
mod exclusive;
mod interceptor;
mod resolver;
mod stream;
mod subchannel;
mod sync;
#[cfg(feature = "tower")]
mod tower;

pub use call::{
    AsIterator, AsStream, Bidi, BidiFuture, Call, ClientStreaming, ClientStreamingFuture,
    IntoMessages, Iter, Kind, ServerStreaming, ServerStreamingFuture, Summary, Unary, UnaryFuture,
    UploadFuture,
};
pub use channel::{
    Channel, ChannelBuilder, ChannelError, ChannelStats, CloseReport, ConnectivityState,
};
pub use credentials::{
    BearerToken, BoxCallCredentials, CallCredentials, CredentialsRequest, Token,
};
pub use interceptor::{BoxInterceptor, CallContext, ClientStream, Interceptor, Next, Outcome};
pub use resolver::TargetError;
pub use stream::{Receiver, Sender};
pub use subchannel::BackoffConfig;
#[cfg(feature = "tower")]
pub use tower::StartCall;
pub use trunkline_core::include_protos;
pub use trunkline_transport::http2::Keepalive;
