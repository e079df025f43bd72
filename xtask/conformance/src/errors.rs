//! How an RPC failed, as the judge writes it down.

use crate::messages::Error;
use prost_types::Any;
use trunkline::details::AnyDetail;
use trunkline::{Code, Status};

/// The status that the judge asks for.
pub(crate) fn status(error: &Error) -> Status {
    let code = u32::try_from(error.code).map_or(Code::Unknown, Code::from_number);
    let status = Status::new(code, error.message.clone().unwrap_or_default());
    let details = error.details.iter();
    details.fold(status, |status, detail| {
        status.with_any_detail(AnyDetail::new(&detail.type_url, detail.value.clone()))
    })
}

/// The status as the judge wants to be told.
pub(crate) fn told(status: &Status) -> Error {
    let details = status.unpack_details().unwrap_or_default();
    let details = details.into_iter().map(|detail| Any {
        type_url: detail.type_url().to_owned(),
        value: detail.value().to_vec(),
    });
    Error {
        code: i32::try_from(status.code().number()).unwrap_or_default(),
        message: Some(status.message().to_owned()),
        details: details.collect(),
    }
}

/// A message with its name.
///
/// Errors: none that is known; encoding to memory cannot fail.
pub(crate) fn pack(message: &impl prost::Name) -> Result<Any, Status> {
    Any::from_msg(message).map_err(Status::from_error)
}
