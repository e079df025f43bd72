//! A server's load as it reports it: in the trailers of a call, and on a stream beside the calls.
//!
//! The library has no interface for load reports: this is what a server can do with trailers and a service.

use crate::messages::{OpenRcaService, OrcaLoadReport, OrcaLoadReportRequest};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use trunkline::Status;
use trunkline::codegen::prost::Message;
use trunkline::server::{RequestContext, Sender};

/// The trailer with a call's report.
pub(crate) const REPORT: &str = "endpoint-load-metrics-bin";

/// No client hears more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The load that the server was told to have.
#[derive(Debug, Default)]
pub(crate) struct Load {
    report: Mutex<OrcaLoadReport>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Load {
    /// A report as its trailer carries it.
    pub(crate) fn encode(report: &OrcaLoadReport) -> Vec<u8> {
        report.encode_to_vec()
    }

    /// What a trailer carries.
    pub(crate) fn decode(trailer: &[u8]) -> Result<OrcaLoadReport, Status> {
        OrcaLoadReport::decode(trailer)
            .map_err(|error| Status::internal(format!("{REPORT} is no load report: {error}")))
    }

    /// Only one call at a time tells the server its load.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    pub(crate) fn set(&self, report: OrcaLoadReport) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
    }

    fn report(&self) -> OrcaLoadReport {
        let report = self.report.lock();
        report.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reports a load at intervals.
#[derive(Debug)]
pub(crate) struct LoadService(pub(crate) Arc<Load>);

impl OpenRcaService for LoadService {
    async fn stream_core_metrics(
        &self,
        _cx: &RequestContext,
        request: OrcaLoadReportRequest,
        mut reports: Sender<OrcaLoadReport>,
    ) -> Result<(), Status> {
        let asked = request.report_interval.unwrap_or_default();
        // A negative one is no interval either.
        let asked = Duration::try_from(asked).unwrap_or_default();
        loop {
            reports.send(&self.0.report()).await?;
            tokio::time::sleep(asked.max(SHORTEST_INTERVAL)).await;
        }
    }
}
