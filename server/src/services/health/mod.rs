//! The standard health service, and the handle that says what it answers.

mod service;

/// What `trunkline-codegen` made of `proto/grpc/health`.
#[allow(
    unused_qualifications,
    reason = "generated code names everything in full"
)]
mod generated {
    include!("generated/mod.rs");
}

use std::collections::HashMap;

use tokio::sync::watch;

use self::generated::grpc::health::v1::HealthServer;
use self::service::HealthService;
use crate::router::BoxService;

/// Says which services are fit to be called, and makes the standard health service that tells it.
///
/// Clones say it of the same services; from any task or thread, and a server need not run yet. The
/// server as a whole has the empty name, and is serving from the start. Of another service nothing
/// is known until it is set: who checks it is told NOT_FOUND, who watches it that it is unknown,
/// and what it becomes later.
///
/// Whatever is set, a server that begins to stop tells that nothing on it is serving. Watches are
/// told so too and then ended, so that they do not hold the stop up.
///
/// ```
/// # async fn run() -> Result<(), trunkline_core::Status> {
/// use trunkline_server::{HealthReporter, Server};
///
/// let health = HealthReporter::new();
/// let server = Server::insecure()
///     .add_service(health.service())
///     .bind("127.0.0.1:0")
///     .await?;
/// // With generated code: `health.set_serving(GreeterServer::NAME)`.
/// health.set_serving("helloworld.Greeter");
/// # drop(server);
/// # Ok(()) }
/// ```
///
/// Source: grpc.health.v1; gRFC A90 for `List`.
#[derive(Clone, Debug)]
pub struct HealthReporter {
    statuses: watch::Sender<Statuses>,
}

/// Whether a service is fit to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServingStatus {
    /// It is.
    Serving,
    /// It is not, for now or for good: clients that look at it go elsewhere.
    NotServing,
}

impl HealthReporter {
    /// A reporter by which the server as a whole is serving, and that knows of nothing else.
    #[must_use]
    pub fn new() -> Self {
        let whole = (String::new(), ServingStatus::Serving);
        let statuses = Statuses {
            by_name: HashMap::from([whole]),
            is_shut_down: false,
        };
        Self {
            statuses: watch::Sender::new(statuses),
        }
    }

    /// The service to add to a server; to several, if they are fit together.
    #[must_use]
    pub fn service(&self) -> BoxService {
        HealthServer::new(HealthService::new(self.statuses.subscribe())).boxed()
    }

    /// The service of this name is fit to be called; `""` is the server as a whole.
    pub fn set_serving(&self, service: &str) {
        self.set(service, ServingStatus::Serving);
    }

    /// The service of this name is not fit to be called; `""` is the server as a whole.
    ///
    /// It is called all the same by clients that do not look.
    pub fn set_not_serving(&self, service: &str) {
        self.set(service, ServingStatus::NotServing);
    }

    /// Says it as a value.
    pub fn set(&self, service: &str, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| {
            let set = statuses.by_name.insert(service.to_owned(), status);
            set != Some(status)
        });
    }

    /// Forgets a service: nothing is known of it any more.
    pub fn clear(&self, service: &str) {
        let forget = |statuses: &mut Statuses| statuses.by_name.remove(service).is_some();
        self.statuses.send_if_modified(forget);
    }

    /// What clients are told of a service by a server that runs; `None` if nothing is known of it.
    #[must_use]
    pub fn status(&self, service: &str) -> Option<ServingStatus> {
        self.statuses.borrow().of(service)
    }

    /// From now on nothing is serving, whatever was or will be set, until [`resume`](Self::resume).
    ///
    /// A server that stops does this on its own. Do it some time before where whoever balances the
    /// load needs that time to notice, and call [`graceful_stop`](crate::ServerHandle::graceful_stop)
    /// after it.
    pub fn shut_down(&self) {
        self.set_shut_down(true);
    }

    /// What was set last applies again.
    pub fn resume(&self) {
        self.set_shut_down(false);
    }

    fn set_shut_down(&self, is_shut_down: bool) {
        self.statuses.send_if_modified(|statuses| {
            let was = std::mem::replace(&mut statuses.is_shut_down, is_shut_down);
            was != is_shut_down
        });
    }
}

impl Default for HealthReporter {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known. Watches are woken by its changes and look each at their own part: nothing is kept
/// for a name that a client made up.
#[derive(Debug)]
struct Statuses {
    by_name: HashMap<String, ServingStatus>,
    is_shut_down: bool,
}

impl Statuses {
    fn of(&self, service: &str) -> Option<ServingStatus> {
        let set = *self.by_name.get(service)?;
        Some(self.as_told(set))
    }

    const fn as_told(&self, set: ServingStatus) -> ServingStatus {
        if self.is_shut_down {
            ServingStatus::NotServing
        } else {
            set
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HealthReporter, ServingStatus};

    #[test]
    fn a_shutdown_hides_what_is_set_until_it_is_taken_back() {
        let health = HealthReporter::new();
        let other = health.clone();
        assert_eq!(health.status(""), Some(ServingStatus::Serving));
        assert_eq!(health.status("a.A"), None);
        other.set_serving("a.A");
        health.shut_down();
        other.set_serving("b.B");
        other.set_not_serving("c.C");
        for name in ["", "a.A", "b.B", "c.C"] {
            assert_eq!(health.status(name), Some(ServingStatus::NotServing));
        }
        assert_eq!(health.status("d.D"), None);
        health.resume();
        assert_eq!(other.status("b.B"), Some(ServingStatus::Serving));
        assert_eq!(other.status("c.C"), Some(ServingStatus::NotServing));
        other.clear("b.B");
        assert_eq!(health.status("b.B"), None);
    }

    #[test]
    fn what_changes_nothing_wakes_no_watch() {
        let health = HealthReporter::new();
        let mut watch = health.statuses.subscribe();
        watch.mark_unchanged();
        health.set_serving("");
        health.clear("a.A");
        health.resume();
        assert!(!watch.has_changed().unwrap());
        health.set_not_serving("");
        assert!(watch.has_changed().unwrap());
    }
}
