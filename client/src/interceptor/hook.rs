//! A hook that the clones of a call share.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use trunkline_core::Status;
use trunkline_transport::stream::MessageHook;

/// One hook, for every start of the call that it was set on.
#[derive(Clone)]
pub(crate) struct SharedHook(Arc<Mutex<dyn MessageHook>>);

impl SharedHook {
    pub(crate) fn new(hook: impl MessageHook) -> Self {
        Self(Arc::new(Mutex::new(hook)))
    }
}

impl MessageHook for SharedHook {
    fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
        let mut hook = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hook.received(message)
    }

    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        let mut hook = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hook.sending(message)
    }
}
