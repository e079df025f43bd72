//! The interop service with the standard services beside it, for the tools that people point at servers.

use crate::messages::TestServiceServer;
use crate::service::Interop;
use trunkline::server::{BoxService, HealthReporter, Interceptor, Next, Server};
use trunkline::tls::ServerTls;
use trunkline::{RequestContext, Status, Trailers};

/// A name that is not served, and is not serving.
const SICK: &str = "grpc.testing.Sick";

/// Which versions of reflection a server has.
#[derive(Clone, Copy, Debug, Default)]
pub enum ReflectionVersions {
    /// As every server has them.
    #[default]
    Both,
    /// As servers will have it that have dropped the older one.
    V1,
    /// As servers had it before there was another one.
    V1Alpha,
}

/// Serves until the process ends: over TLS, or without one in plaintext.
///
/// Errors: the address cannot be bound.
pub async fn serve_tools(
    address: &str,
    tls: Option<ServerTls>,
    versions: ReflectionVersions,
) -> Result<(), Status> {
    let builder = match tls {
        Some(tls) => Server::builder().credentials(tls),
        None => Server::insecure(),
    };
    let health = HealthReporter::new();
    health.set_serving(TestServiceServer::NAME);
    health.set_not_serving(SICK);
    let server = builder
        .add_service(service())
        .add_service(health.service())
        .reflection()
        .intercept(Without(versions))
        .bind(address)
        .await?;
    server.serve().await
}

fn service() -> BoxService {
    TestServiceServer::new(Interop::default()).boxed()
}

/// Answers as if the other version were not there.
struct Without(ReflectionVersions);

impl Interceptor for Without {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let missing = match self.0 {
            ReflectionVersions::Both => "",
            ReflectionVersions::V1 => "grpc.reflection.v1alpha.ServerReflection",
            ReflectionVersions::V1Alpha => "grpc.reflection.v1.ServerReflection",
        };
        if cx.method().service == missing {
            return Err(Status::unimplemented(format!("unknown service {missing}")));
        }
        next.run(cx).await
    }
}
