//! The RPCs of the health service.

use tokio::sync::watch;
use trunkline_core::{Response, Status};

use super::generated::grpc::health::v1::health_check_response::ServingStatus as Wire;
use super::generated::grpc::health::v1::{
    Health, HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use super::{ServingStatus, Statuses};
use crate::rpc::RequestContext;
use crate::stream::Sender;

/// The most services that `List` tells. Source: gRFC A90.
const MAX_LISTED: usize = 100;

/// Answers from what a reporter says, and from whether the server stops.
pub(super) struct HealthService {
    statuses: watch::Receiver<Statuses>,
}

impl HealthService {
    pub(super) const fn new(statuses: watch::Receiver<Statuses>) -> Self {
        Self { statuses }
    }
}

impl Health for HealthService {
    async fn check(
        &self,
        cx: &RequestContext,
        request: HealthCheckRequest,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let known = self.statuses.borrow().of(&request.service);
        match known {
            Some(status) => Ok(response(told(status, cx)).into()),
            // Its name is not repeated: it may be long.
            None => Err(Status::not_found("unknown service")),
        }
    }

    async fn list(
        &self,
        cx: &RequestContext,
        _request: HealthListRequest,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.statuses.borrow();
        let known = statuses.by_name.len();
        if known > MAX_LISTED {
            return Err(Status::resource_exhausted(format!(
                "{known} services are too many for one list, the most are {MAX_LISTED}: check \
                 them one by one"
            )));
        }
        let each = statuses.by_name.iter().map(|(name, &set)| {
            let status = told(statuses.as_told(set), cx);
            (name.clone(), response(status))
        });
        let statuses = each.collect();
        Ok(HealthListResponse { statuses }.into())
    }

    /// Each change is told once; a client that reads too slowly misses some, but not the last.
    async fn watch(
        &self,
        cx: &RequestContext,
        request: HealthCheckRequest,
        mut responses: Sender<HealthCheckResponse>,
    ) -> Result<(), Status> {
        let stop = cx.stop_signal();
        let mut statuses = self.statuses.clone();
        let mut last = None;
        loop {
            statuses.mark_unchanged();
            let status = said(&statuses, &request, cx);
            if last != Some(status) {
                match stop.unless(responses.send(&response(status))).await {
                    Some(sent) => sent?,
                    None => break,
                }
                last = Some(status);
            }
            match stop.unless(statuses.changed()).await {
                Some(Ok(())) => {}
                // Every reporter is gone: what was said last holds until the stop.
                Some(Err(_)) => {
                    cx.stopping().await;
                    break;
                }
                None => break,
            }
        }
        let status = said(&statuses, &request, cx);
        if last != Some(status) {
            // Without waiting: a client that does not read must not hold up the stop.
            responses.feed(&response(status))?;
        }
        Err(Status::unavailable("the server is stopping"))
    }
}

/// What a watch is told now.
fn said(
    statuses: &watch::Receiver<Statuses>,
    request: &HealthCheckRequest,
    cx: &RequestContext,
) -> Wire {
    let known = statuses.borrow().of(&request.service);
    known.map_or(Wire::ServiceUnknown, |known| told(known, cx))
}

/// What a client is told: nothing is serving on a server that stops.
fn told(status: ServingStatus, cx: &RequestContext) -> Wire {
    match status {
        ServingStatus::Serving if !cx.is_stopping() => Wire::Serving,
        ServingStatus::Serving | ServingStatus::NotServing => Wire::NotServing,
    }
}

fn response(status: Wire) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
