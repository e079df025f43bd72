//! Heads and trailers that we send, in the parts that the encoder takes: the form, which it knows
//! from messages before, and the fields of this one.

use trunkline_core::protocol::{Reject, write_status};
use trunkline_core::{Metadata, Status, Timeout};

use super::super::hpack::{Fields, FieldsWriter};
use super::{RequestForm, ResponseHead, rules};
use crate::http2::{RequestHead, ResponseForm};

/// What the head of a request has in common with those of other calls. `https` is true where the
/// connection is encrypted.
///
/// # Errors
/// INTERNAL if the method's path cannot be a `:path`.
pub(in super::super) fn request_form(
    head: &RequestHead<'_>,
    https: bool,
) -> Result<RequestForm, Status> {
    if !rules::is_path(head.path.as_bytes()) {
        let text = format!(
            "the method path {:?} is not one: it must be printable ASCII without spaces",
            head.path
        );
        return Err(Status::internal(text));
    }
    Ok(RequestForm {
        https,
        authority: head.authority.clone(),
        path: head.path,
        subtype: head.subtype,
        encoding: head.encoding.cloned(),
        accept_encoding: head.accept_encoding.cloned(),
        user_agent: head.user_agent.clone(),
    })
}

/// What the head of a request says beside its form.
pub(in super::super) fn request_extra(head: &RequestHead<'_>) -> Fields {
    let mut extra = FieldsWriter::new();
    if let Some(timeout) = head.timeout {
        extra.timeout(Timeout::new(timeout));
    }
    push(&mut extra, head.metadata);
    extra.finish()
}

/// The head of a response that messages follow.
pub(in super::super) fn response(
    form: &ResponseForm,
    metadata: &Metadata,
) -> (ResponseHead, Fields) {
    let head = ResponseHead::Grpc {
        subtype: form.subtype,
        encoding: form.encoding.clone(),
    };
    let mut extra = FieldsWriter::new();
    push(&mut extra, metadata);
    (head, extra.finish())
}

/// The trailers of a response. `first` is what was set for them before the outcome was known.
pub(in super::super) fn trailers(result: Result<&Metadata, &Status>, first: &Metadata) -> Fields {
    let mut fields = FieldsWriter::new();
    match result {
        Ok(own) => {
            write_status(&mut fields.sink(), Ok(()));
            push(&mut fields, first);
            push(&mut fields, own);
        }
        Err(status) if first.is_empty() => push_status(&mut fields, status),
        // How much of the message fits depends on all of the metadata.
        Err(status) => push_status(&mut fields, &with(status, [first])),
    }
    fields.finish()
}

/// The only head of an RPC that failed before its first message (Trailers-Only): the status, and
/// behind its metadata that of the headers and trailers that were set for it.
pub(in super::super) fn trailers_only(
    status: &Status,
    headers: &Metadata,
    trailers: &Metadata,
) -> (ResponseHead, Fields) {
    let head = ResponseHead::Grpc {
        subtype: "",
        encoding: None,
    };
    let mut fields = FieldsWriter::new();
    if headers.is_empty() && trailers.is_empty() {
        push_status(&mut fields, status);
    } else {
        push_status(&mut fields, &with(status, [headers, trailers]));
    }
    (head, fields.finish())
}

/// The answer to a request that reaches no handler.
pub(in super::super) fn reject(reject: &Reject) -> (ResponseHead, Fields) {
    if let Reject::Status(status) = reject {
        return trailers_only(status, &Metadata::new(), &Metadata::new());
    }
    let mut fields = FieldsWriter::new();
    reject.write(&mut fields.sink());
    (ResponseHead::Plain(reject.http_status()), fields.finish())
}

fn push_status(fields: &mut FieldsWriter, status: &Status) {
    write_status(&mut fields.sink(), Err(status));
    push(fields, status.metadata());
}

fn push(fields: &mut FieldsWriter, metadata: &Metadata) {
    for (name, value) in metadata.wire() {
        fields.push(name, value);
    }
}

fn with<const N: usize>(status: &Status, more: [&Metadata; N]) -> Status {
    let mut status = status.clone();
    for metadata in more {
        status.metadata_mut().extend(metadata.clone());
    }
    status
}

#[cfg(test)]
mod tests;
