//! The cases of load reports. The library has no balancing policy that would act on them: what is judged is that they
//! come, in trailers and on their own stream.

use crate::cases::{Failure, Verdict, expect};
use crate::messages::{
    OpenRcaServiceClient, OrcaLoadReport, OrcaLoadReportRequest, ResponseParameters, SimpleRequest,
    StreamingOutputCallRequest, TestOrcaReport, TestServiceClient,
};
use crate::orca::{Load, REPORT};
use std::collections::HashMap;
use std::time::Duration;
use trunkline::client::Channel;

/// How soon a load has to be reported.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often we ask to be told; others report once a second at most.
const INTERVAL: Duration = Duration::from_millis(100);

pub(crate) async fn orca_per_rpc(client: &TestServiceClient) -> Verdict {
    let told = TestOrcaReport {
        request_cost: one("cost", 3456.32),
        ..load(0.8210, 0.5847, 0.30499)
    };
    let reply = client
        .unary_call(SimpleRequest {
            orca_per_query_report: Some(told.clone()),
            ..SimpleRequest::default()
        })
        .await?;
    let Some(trailer) = reply.trailers().get_bin(REPORT) else {
        return Err(Failure::new(format!("no trailer {REPORT}")));
    };
    expect("report of the call", &Load::decode(&trailer)?, &told.into())
}

pub(crate) async fn orca_oob(client: &TestServiceClient, channel: &Channel) -> Verdict {
    let (mut requests, mut responses) = client.full_duplex_call().await?;
    let load_service = OpenRcaServiceClient::new(channel.clone());
    let report_interval = INTERVAL.try_into().ok();
    let mut reports = load_service
        .stream_core_metrics(OrcaLoadReportRequest {
            report_interval,
            ..OrcaLoadReportRequest::default()
        })
        .await?;
    for told in [load(0.8210, 0.5847, 0.30499), load(0.29309, 0.2, 0.2039)] {
        requests
            .send(&StreamingOutputCallRequest {
                orca_oob_report: Some(told.clone()),
                response_parameters: vec![ResponseParameters {
                    size: 1,
                    ..ResponseParameters::default()
                }],
                ..StreamingOutputCallRequest::default()
            })
            .await?;
        if responses.recv().await?.is_none() {
            return Err(Failure::new("no response to a load"));
        }
        let wanted = OrcaLoadReport::from(told);
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            while last.as_ref() != Some(&wanted) {
                last = Some(
                    reports
                        .recv()
                        .await?
                        .ok_or_else(|| Failure::new("no more reports"))?,
                );
            }
            Ok::<(), Failure>(())
        });
        match found.await {
            Ok(found) => found?,
            Err(_) => expect("last report after 5 s", &last, &Some(wanted))?,
        }
    }
    requests.finish();
    expect("after half-close", &responses.recv().await?, &None)
}

fn load(cpu: f64, memory: f64, util: f64) -> TestOrcaReport {
    TestOrcaReport {
        cpu_utilization: cpu,
        memory_utilization: memory,
        utilization: one("util", util),
        ..TestOrcaReport::default()
    }
}

fn one(name: &str, value: f64) -> HashMap<String, f64> {
    HashMap::from([(name.to_owned(), value)])
}
