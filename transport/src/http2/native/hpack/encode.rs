//! The writing half of a connection.

use bytes::BytesMut;

use super::super::head::{RequestForm, ResponseHead};
use super::fields::{Fields, Lead};
use super::forms::{GrpcStatus0, status};
use super::peer_table::PeerTable;
use super::template::{Forms, Template};

/// Writes the header blocks of a connection; they have to go out in the order in which they are
/// written.
///
/// What a form says is in the peer's table from its first use on, and then costs the copy of some
/// octets. All else is literal and never gets into the table.
#[derive(Debug, Default)]
pub(in super::super) struct Encoder {
    table: PeerTable,
    requests: Forms<RequestForm>,
    responses: Forms<ResponseHead>,
    ok: Template,
}

impl Encoder {
    pub(in super::super) fn new() -> Self {
        Self::default()
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE; the next block tells it what we make of it.
    pub(in super::super) fn set_peer_limit(&mut self, bytes: u32) {
        let octets = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.table.set_limit(octets);
    }

    /// Appends the head of a request.
    pub(in super::super) fn request(
        &mut self,
        form: &RequestForm,
        extra: &Fields,
        out: &mut BytesMut,
    ) {
        self.begin(out);
        self.requests.write(form, &mut self.table, out);
        self.extra(extra, out);
    }

    /// Appends the head of a response.
    pub(in super::super) fn response(
        &mut self,
        head: &ResponseHead,
        extra: &Fields,
        out: &mut BytesMut,
    ) {
        self.begin(out);
        match head {
            ResponseHead::Plain(number) => out.extend_from_slice(&status(*number)),
            ResponseHead::Grpc { .. } => self.responses.write(head, &mut self.table, out),
        }
        self.extra(extra, out);
    }

    /// Appends the trailers of a response.
    pub(in super::super) fn trailers(&mut self, extra: &Fields, out: &mut BytesMut) {
        self.begin(out);
        self.extra(extra, out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.table.is_due() {
            let mut updates = Vec::new();
            self.table.update(&mut updates);
            out.extend_from_slice(&updates);
        }
    }

    fn extra(&mut self, extra: &Fields, out: &mut BytesMut) {
        match extra.lead() {
            Lead::None => {}
            Lead::Ok => self.ok.write(&GrpcStatus0, &mut self.table, out),
            Lead::Timeout(text) => text.write(out),
        }
        out.extend_from_slice(extra.block());
    }

    /// Gives back what only encoding needs: the next blocks are made field by field.
    pub(in super::super) fn shrink(&mut self) {
        self.requests = Forms::default();
        self.responses = Forms::default();
        self.ok = Template::default();
    }
}

#[cfg(test)]
mod tests;
