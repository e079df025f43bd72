//! In place of reflection, where its feature is off: nobody asks for descriptors, so the linker leaves them out.

use trunkline_core::{FileDescriptor, Status};

use crate::handler::GrpcService;
use crate::router::Router;

/// Nothing is known of any service.
#[derive(Debug, Default)]
pub(crate) struct Described;

impl Described {
    pub(crate) const fn of(_service: &impl GrpcService) -> Self {
        Self
    }

    pub(crate) const fn add(&mut self, _service: &impl GrpcService) {}

    pub(crate) const fn merge(&mut self, _other: Self) {}

    #[expect(clippy::unused_self, reason = "the same as where something is known")]
    pub(crate) const fn file(&self) -> Option<&'static FileDescriptor> {
        None
    }
}

/// The router as it is.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the same as where something may be wrong"
)]
pub(crate) const fn with_reflection(router: Router) -> Result<Router, Status> {
    Ok(router)
}
