//! Server reflection: a server tells what it serves, for tools that were built without its `.proto` files.

mod described;
mod index;
mod names;
mod service;
mod sets;

/// What `trunkline-codegen` made of `proto/grpc/reflection`. Both versions have the messages of v1.
#[allow(
    unused_qualifications,
    reason = "generated code names everything in full"
)]
mod generated {
    include!("generated/mod.rs");
}

use bytes::Bytes;

pub(crate) use self::described::{Described, with_reflection};
use crate::router::Router;
use crate::server::ServerBuilder;

impl ServerBuilder {
    /// Lets clients ask what this server serves: names of services, and the `.proto` files behind
    /// them. Off until this is called.
    ///
    /// It is the standard reflection service, v1 and v1alpha, that `grpcurl`, `evans` and the like
    /// look for. The descriptors are those that generated servers bring; a service written by hand
    /// is listed and not described. What surrounds all RPCs of the server surrounds these as well:
    /// where calls need a token, so does reflection.
    /// ```
    /// # async fn run() -> Result<(), trunkline_core::Status> {
    /// use trunkline_server::Server;
    ///
    /// // With generated code: `.add_service(GreeterServer::new(greeter))` before or after it.
    /// let server = Server::insecure().reflection().bind("127.0.0.1:0").await?;
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    /// Source: gRFC A15.
    pub fn reflection(self) -> Self {
        self.reflection_with(Reflection::new())
    }

    /// The same, with more to tell.
    pub fn reflection_with(self, reflection: Reflection) -> Self {
        let mut router = Router::new();
        router.described.reflect(reflection);
        self.router(router)
    }
}

/// What [reflection](ServerBuilder::reflection) tells beyond the files of generated servers.
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing until it is given to a server"]
pub struct Reflection {
    sets: Vec<Bytes>,
}

impl Reflection {
    /// Nothing more.
    pub const fn new() -> Self {
        Self { sets: Vec::new() }
    }

    /// Files that no generated server has: those of services written by hand, of messages inside
    /// `google.protobuf.Any`, of extensions.
    ///
    /// Shape: an encoded `google.protobuf.FileDescriptorSet`, as `descriptor_set` of
    /// `trunkline-codegen` or `protoc --include_imports --descriptor_set_out` writes it.
    ///
    /// Errors: making the server fails with INVALID_ARGUMENT when it is none, or when it lacks a
    /// file that one of its own imports.
    pub fn file_descriptor_set(mut self, encoded: impl Into<Bytes>) -> Self {
        self.sets.push(encoded.into());
        self
    }

    fn merge(&mut self, other: Self) {
        self.sets.extend(other.sets);
    }
}
