//! What services say of themselves on their way into a server, and reflection in front of it.

use std::sync::Arc;

use trunkline_core::{FileDescriptor, Status};

use super::Reflection;
use super::generated::grpc::reflection::{v1, v1alpha};
use super::index::Index;
use super::service::Reflected;
use crate::handler::GrpcService;
use crate::router::Router;
use crate::server::MethodLimits;

/// The largest request. A request is little more than a name, and it comes back in the response.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The files of services, and whether reflection is to tell them.
#[derive(Debug, Default)]
pub(crate) struct Described {
    files: Vec<&'static FileDescriptor>,
    reflection: Option<Reflection>,
}

impl Described {
    pub(crate) fn of(service: &impl GrpcService) -> Self {
        let mut described = Self::default();
        described.add(service);
        described
    }

    pub(crate) fn add(&mut self, service: &impl GrpcService) {
        self.files.extend(service.file_descriptor());
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        if let Some(reflection) = other.reflection {
            self.reflect(reflection);
        }
    }

    /// That of the only service.
    pub(crate) fn file(&self) -> Option<&'static FileDescriptor> {
        self.files.first().copied()
    }

    pub(super) fn reflect(&mut self, reflection: Reflection) {
        self.reflection.get_or_insert_default().merge(reflection);
    }
}

/// The router with the reflection services, if it is to have them.
///
/// Errors: INVALID_ARGUMENT for descriptors that cannot be read.
pub(crate) fn with_reflection(mut router: Router) -> Result<Router, Status> {
    let Some(reflection) = router.described.reflection.take() else {
        return Ok(router);
    };
    let mut index = Index::default();
    for file in [
        &v1::FILE_GRPC_REFLECTION_V1_REFLECTION,
        &v1alpha::FILE_GRPC_REFLECTION_V1ALPHA_REFLECTION,
    ] {
        index.add(file)?;
    }
    for file in &router.described.files {
        index.add(file)?;
    }
    for set in reflection.sets {
        index.add_set(&set)?;
    }
    let own = [
        v1::server_reflection::SERVICE,
        v1alpha::server_reflection::SERVICE,
    ];
    let own = own.map(|service| service.name);
    let reflected = Arc::new(Reflected::new(index, router.services().chain(own)));
    let limits = MethodLimits::new().max_receive_message_bytes(MAX_REQUEST_BYTES);
    let newer = v1::ServerReflectionServer::from_arc(Arc::clone(&reflected))
        .method_limits::<v1::server_reflection::ServerReflectionInfo>(limits);
    let older = v1alpha::ServerReflectionServer::from_arc(reflected)
        .method_limits::<v1alpha::server_reflection::ServerReflectionInfo>(limits);
    Ok(router.add_service(newer).add_service(older))
}
