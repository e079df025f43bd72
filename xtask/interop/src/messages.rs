//! What is generated from the files in `proto`, and short ways to make it.

use trunkline::Code;

mod generated {
    // One of the packages is called trunkline too.
    ::trunkline::include_protos!();
}

pub(crate) use generated::grpc::testing::*;
pub(crate) use generated::xds::data::orca::v3::OrcaLoadReport;
pub(crate) use generated::xds::service::orca::v3::*;

/// Both streams and unary calls echo these two.
pub(crate) const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
pub(crate) const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// This many zeros; a negative size is none.
pub(crate) fn payload(size: i32) -> Option<Payload> {
    let body = vec![0; usize::try_from(size).unwrap_or(0)];
    Some(Payload {
        body,
        ..Payload::default()
    })
}

/// The bytes in a payload, none if it is absent.
pub(crate) fn size(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}

/// The code that a peer asked for by number.
pub(crate) fn code(number: i32) -> Code {
    u32::try_from(number).map_or(Code::Unknown, Code::from_number)
}

/// A bool that is there.
pub(crate) fn is(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

/// Whether a bool is there and true.
pub(crate) fn wanted(value: Option<BoolValue>) -> bool {
    value.is_some_and(|wanted| wanted.value)
}

impl From<TestOrcaReport> for OrcaLoadReport {
    fn from(told: TestOrcaReport) -> Self {
        Self {
            cpu_utilization: told.cpu_utilization,
            mem_utilization: told.memory_utilization,
            request_cost: told.request_cost,
            utilization: told.utilization,
            ..Self::default()
        }
    }
}
