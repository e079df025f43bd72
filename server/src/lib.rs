#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod codegen;
mod compression;
mod handler;
mod interceptor;
mod router;
mod rpc;
mod server;
mod services;
mod signal;
mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tower")]
mod tower;

pub use compression::ResponseCompression;
pub use handler::{GrpcService, Serve};
pub use interceptor::{BoxInterceptor, Interceptor, Next};
pub use router::{BoxService, MethodTable, Router};
pub use rpc::{Extensions, Finish, Incoming, Only, Outcome, Reply, RequestContext, Respond, Rest};
pub use server::{MethodLimits, Server, ServerBuilder, ServerHandle, ServerStats, StopReport};
#[cfg(feature = "reflection")]
pub use services::Reflection;
#[cfg(feature = "health")]
pub use services::{HealthReporter, ServingStatus};
pub use stream::{Receiver, Sender};
#[cfg(feature = "tower")]
pub use tower::{RunRpc, RunRpcFuture};
pub use trunkline_core::include_protos;
pub use trunkline_transport::http2::ServerKeepalive;
