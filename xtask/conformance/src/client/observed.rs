//! What a client sees of a call.

use crate::messages::{ClientResponseResult, ConformancePayload};
use crate::{errors, headers};
use trunkline::client::Receiver;
use trunkline::{Response, Status};

/// The end of a call with one response.
pub(super) fn of_one(
    result: Result<Response<Option<ConformancePayload>>, Status>,
) -> ClientResponseResult {
    match result {
        Ok(response) => {
            let (before, payload, after) = response.into_parts();
            ClientResponseResult {
                response_headers: headers::told(&before),
                payloads: vec![payload.unwrap_or_default()],
                response_trailers: headers::told(&after),
                ..ClientResponseResult::default()
            }
        }
        Err(why) => of_failure(&why),
    }
}

/// A call that gave nothing but its status.
pub(super) fn of_failure(why: &Status) -> ClientResponseResult {
    ClientResponseResult {
        error: Some(errors::told(why)),
        response_trailers: headers::told(why.metadata()),
        ..ClientResponseResult::default()
    }
}

/// A call with many responses that has ended: these, then `end`.
pub(super) async fn of_many<T>(
    receiver: &mut Receiver<T>,
    payloads: Vec<ConformancePayload>,
    end: Result<(), Status>,
) -> ClientResponseResult {
    let response_headers = match receiver.headers().await {
        Ok(before) => headers::told(before),
        // The end says why there are none.
        Err(_) => Vec::new(),
    };
    let rest = match &end {
        Ok(()) => ClientResponseResult {
            response_trailers: headers::told(receiver.trailers()),
            ..ClientResponseResult::default()
        },
        Err(why) => of_failure(why),
    };
    ClientResponseResult {
        response_headers,
        payloads,
        ..rest
    }
}
