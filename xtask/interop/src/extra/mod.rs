//! What the official cases leave open: a service of our own, which our programs on other libraries have too, and the
//! cases that call it. Their names begin with `trunkline_`.

mod calls;
mod metadata;
mod service;
mod statuses;

pub(crate) use messages::ExtraServiceServer;
pub(crate) use service::Extra;

use crate::cases::{Failure, Verdict};
use messages::ExtraServiceClient;
use std::time::{Duration, Instant};
use trunkline::Channel;

mod messages {
    include!(concat!(env!("OUT_DIR"), "/trunkline.interop.rs"));
}

/// Ten times what anything here takes on a slow machine; what hangs goes past it.
const PROMPTLY: Duration = Duration::from_secs(5);

/// Runs one case of these; `None` if there is none of this name.
pub(crate) async fn run_case(channel: &Channel, name: &str) -> Option<Verdict> {
    let client = ExtraServiceClient::new(channel.clone());
    Some(match name {
        "trunkline_metadata" => metadata::metadata(&client).await,
        "trunkline_status_messages" => statuses::messages(&client).await,
        "trunkline_status_details" => statuses::details(&client).await,
        "trunkline_early_answer" => calls::early_answer(&client).await,
        "trunkline_first_reply" => calls::first_reply(&client).await,
        "trunkline_deadlines" => calls::deadlines(&client).await,
        "trunkline_keepalive" => calls::keepalive(&client).await,
        _ => return None,
    })
}

/// Within [`PROMPTLY`] of `begin`, or a failure.
fn promptly(what: &str, begin: Instant) -> Verdict {
    let took = begin.elapsed();
    if took < PROMPTLY {
        Ok(())
    } else {
        Err(Failure::new(format!("{what} took {took:?}")))
    }
}
