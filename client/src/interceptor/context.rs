//! A call before it is started, as interceptors see and change it.

use std::fmt;
use std::sync::Arc;

use trunkline_core::{Deadline, Metadata, MethodDescriptor, Shape, Status};
use trunkline_transport::stream::MessageHook;

use super::hook::SharedHook;
use crate::call::{Expiry, Measured, Opening, Options, Watch};
use crate::channel::{Channel, ChannelRef};
use crate::credentials::CallCredentials;

/// A call that is about to be started: what is called, where, with what.
///
/// A clone is the same call once more, for [`Next`](super::Next) to start it again.
pub struct CallContext {
    pub(crate) method: &'static MethodDescriptor,
    pub(crate) channel: Channel,
    pub(crate) options: Options,
    pub(crate) expiry: Expiry,
    measured: Option<Arc<Measured>>,
    hooks: Vec<SharedHook>,
    /// How a layer goes on with this call.
    next: Option<super::Next>,
}

impl CallContext {
    pub(crate) const fn new(
        method: &'static MethodDescriptor,
        channel: Channel,
        options: Options,
        expiry: Expiry,
        measured: Option<Arc<Measured>>,
    ) -> Self {
        Self {
            method,
            channel,
            options,
            expiry,
            measured,
            hooks: Vec::new(),
            next: None,
        }
    }

    /// What opens the stream of the call as it is now.
    pub(crate) fn into_opening(self, subtype: &'static str) -> Opening<'static> {
        let channel = ChannelRef::Owned(self.channel);
        let watch = Watch::beneath(self.measured, &self.hooks);
        Opening::begun(
            channel,
            self.method,
            subtype,
            self.options,
            self.expiry,
            watch,
        )
    }

    /// The method; its `Display` is the path, `/package.Service/Method`.
    #[must_use]
    pub const fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// How many messages go each way.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.method.shape
    }

    /// The channel's target, as it was given.
    #[must_use]
    pub fn target(&self) -> &str {
        self.channel.target()
    }

    /// The `:authority` that the call is sent with.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.channel.0.config.authority.as_str()
    }

    /// The metadata that goes with the request.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.options.metadata
    }

    /// The metadata that goes with the request, to change it.
    pub const fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.options.metadata
    }

    /// When the call must have ended, the earliest of all that apply.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.expiry.deadline()
    }

    /// Ends the call at this point in time at the latest. One that is earlier already stays: what
    /// the caller asked for is kept.
    pub fn shorten_deadline(&mut self, deadline: Deadline) {
        self.expiry.shorten(deadline);
    }

    /// Lets this look at the messages of the call, both ways: each request before it is encoded,
    /// each response before the caller has it. It may refuse either, and change a response.
    ///
    /// The hook of an outer interceptor sees requests first and responses last. Clones of the call
    /// share it. A refused request of a call that has only one fails the call, and nothing is sent;
    /// of a stream it fails that one `send`.
    pub fn hook(&mut self, hook: impl MessageHook) {
        self.hooks.push(SharedHook::new(hook));
    }

    /// Adds credentials, behind those that the channel and the call have already.
    pub fn add_credentials(&mut self, credentials: impl CallCredentials) {
        self.options.add_credentials(credentials.boxed());
    }

    /// Whether the call waits, bounded by its deadline, while no server can be reached.
    pub const fn set_wait_for_ready(&mut self, wait: bool) {
        self.options.wait_for_ready = Some(wait);
    }

    /// The largest response message taken, in bytes.
    pub const fn set_max_receive_message_bytes(&mut self, bytes: usize) {
        self.options.max_receive_message_bytes = Some(bytes);
    }

    /// The largest request message sent, in bytes.
    pub const fn set_max_send_message_bytes(&mut self, bytes: usize) {
        self.options.max_send_message_bytes = Some(bytes);
    }

    /// Chooses what the requests are compressed with, as [`Call::compression`](crate::Call::compression)
    /// does.
    ///
    /// Errors: INTERNAL for one that the channel has no compressor for.
    pub fn set_compression(&mut self, encoding: impl AsRef<str>) -> Result<(), Status> {
        self.options.compress(encoding.as_ref(), &self.channel.0);
        self.options.known_encoding()
    }
}

#[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "layers only"))]
impl CallContext {
    pub(crate) fn set_next(&mut self, next: super::Next) {
        self.next = Some(next);
    }

    pub(crate) const fn take_next(&mut self) -> Option<super::Next> {
        self.next.take()
    }
}

impl Clone for CallContext {
    fn clone(&self) -> Self {
        Self {
            method: self.method,
            channel: self.channel.clone(),
            options: self.options.clone(),
            expiry: self.expiry.again(),
            measured: self.measured.clone(),
            hooks: self.hooks.clone(),
            next: self.next.clone(),
        }
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("method", &self.method.path)
            .field("target", &self.target())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
