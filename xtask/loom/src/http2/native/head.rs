//! Heads, which no model looks into.

#[derive(Debug)]
pub(crate) struct FieldList;

#[derive(Debug)]
pub(crate) struct Request;

#[derive(Debug, Default)]
pub(crate) struct Response;

#[derive(Debug)]
pub(crate) enum Head {
    Request(Request),
    Response(Response),
}

#[derive(Debug)]
pub(crate) struct RequestForm;

#[derive(Debug)]
pub(crate) struct ResponseHead;

pub(crate) mod write {
    use trunkline_core::{Metadata, Status};

    use super::super::hpack::Fields;
    use super::ResponseHead;
    use crate::http2::ResponseForm;

    pub(crate) fn response(_: &ResponseForm, _: &Metadata) -> (ResponseHead, Fields) {
        (ResponseHead, Fields)
    }

    pub(crate) fn trailers(_: Result<&Metadata, &Status>, _: &Metadata) -> Fields {
        Fields
    }

    pub(crate) fn trailers_only(_: &Status, _: &Metadata, _: &Metadata) -> (ResponseHead, Fields) {
        (ResponseHead, Fields)
    }
}
