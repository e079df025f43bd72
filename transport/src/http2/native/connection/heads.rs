//! Header blocks of the peer: requests, responses, trailers.

use super::super::frame::{Fatal, Reason, StreamId, write};
use super::super::guard::Guard;
use super::super::head::{FieldList, Head, Kind, Outcome, Request, Response, ResponseHead};
use super::super::hpack::Fields;
use super::super::stream::{Receiving, Sending, Stream};
use super::{Core, End, Role, StreamKey};

/// Interim responses (1xx) that a call may have. Servers send one or two.
pub(in super::super) const MAX_INTERIM: u8 = 100;

/// What a call is told that had more.
pub(in super::super) const TOO_MANY_INTERIM: &str = "too many interim (1xx) responses";

const TOO_LARGE: &str = "a header list over the limit (setting max_header_list_bytes)";

impl Core {
    pub(super) fn headers(
        &mut self,
        id: StreamId,
        block: &[u8],
        end: bool,
        depends_on: Option<StreamId>,
    ) -> Result<(), Fatal> {
        let key = self.find(id);
        let stream = key.and_then(|key| self.streams.get(key));
        let kind = match (stream, self.role) {
            (Some(stream), _) if stream.receiving == Receiving::Head => Kind::Response,
            (None, Role::Server) => Kind::Request,
            _ => Kind::Trailers,
        };
        // Always, whoever it is for: the table must stay what the peer takes it for.
        let read = self.builder.read(&mut self.decoder, block, kind);
        read.map_err(|error| Fatal::new(Reason::COMPRESSION_ERROR, error.0))?;
        if self.builder.is_huge() {
            return Err(Guard::huge_head());
        }
        let is_circular = depends_on == Some(id);
        match (key, self.role) {
            (Some(key), _) if is_circular => self.fault(
                key,
                Reason::PROTOCOL_ERROR,
                "a stream that depends on itself",
            ),
            (Some(key), _) => self.further(key, end),
            (None, Role::Server) if id.is_client() && id > self.ids.last => {
                self.ids.gap = self.ids.last;
                self.ids.last = id;
                self.request(id, end, is_circular)
            }
            (None, _) => self.late_headers(id),
        }
    }

    fn request(&mut self, id: StreamId, end: bool, is_circular: bool) -> Result<(), Fatal> {
        if self.leaving.refuses() {
            self.reject(id, Reason::REFUSED_STREAM);
            return Ok(());
        }
        if self.open >= self.local.streams() {
            self.reject(id, Reason::REFUSED_STREAM);
            return self.refused();
        }
        match self.builder.finish() {
            _ if is_circular => self.malformed(id),
            Outcome::Head(Head::Request(request)) => self.accept(id, request, end),
            Outcome::TooLarge => {
                self.answer_too_large(id, end);
                self.guard.head_too_large()
            }
            Outcome::Malformed(_)
            | Outcome::Head(Head::Response(_))
            | Outcome::Trailers(_)
            | Outcome::CutTrailers(_) => self.malformed(id),
        }
    }

    fn malformed(&mut self, id: StreamId) -> Result<(), Fatal> {
        self.reject(id, Reason::PROTOCOL_ERROR);
        self.provoked()
    }

    fn accept(&mut self, id: StreamId, request: Request, end: bool) -> Result<(), Fatal> {
        if end && request.content_length.is_some_and(|length| length > 0) {
            return self.malformed(id);
        }
        let receiving = if end {
            Receiving::Ended
        } else {
            Receiving::Body
        };
        let (recv, send) = (self.local.window(), self.remote.window());
        let stream = Stream::new(id, receiving, recv, send, self.now);
        let key = self.streams.insert(id, stream);
        // Where it lies: it is large.
        if let Some(stream) = self.streams.get_mut(key) {
            stream.length_left = request.content_length;
            stream.timeout = request.short_timeout();
            stream.inbound.open().head = Some(Head::Request(request));
            stream.inbound.end = end.then_some(End::Clean);
            self.events.accept(key, &mut stream.marks);
        }
        self.open += 1;
        self.guard.opened();
        self.guard.head_fits();
        self.leave_in_time();
        self.ids.taken = id;
        Ok(())
    }

    /// 431, without a stream: nobody here needs to know.
    fn answer_too_large(&mut self, id: StreamId, end: bool) {
        self.block.clear();
        // What waits in `control` is placed before any block that is encoded later.
        let head = ResponseHead::Plain(431);
        self.encoder
            .response(&head, &Fields::default(), &mut self.block);
        let most = self.remote.max_frame();
        write::headers(id, &self.block, true, most, &mut self.control);
        if end {
            return;
        }
        self.reject(id, Reason::NO_ERROR);
    }

    /// A block for an open stream.
    fn further(&mut self, key: StreamKey, end: bool) -> Result<(), Fatal> {
        let Some(stream) = self.streams.get(key) else {
            return Ok(());
        };
        if stream.receiving == Receiving::Ended {
            return self.after_end(key, "HEADERS after END_STREAM");
        }
        if stream.sending == Sending::Head && self.role == Role::Client {
            return Err(Fatal::protocol("an answer to a call that was not sent yet"));
        }
        let is_trailers = stream.receiving == Receiving::Body;
        if is_trailers && !end {
            return self.fault(
                key,
                Reason::PROTOCOL_ERROR,
                "HEADERS amid a body without END_STREAM",
            );
        }
        match self.builder.finish() {
            Outcome::Head(Head::Response(response)) => self.response(key, response, end),
            Outcome::Trailers(trailers) => {
                self.guard.head_fits();
                self.trailers(key, trailers)
            }
            // The status of a call is not lost because a server has said too much besides.
            Outcome::CutTrailers(trailers) if self.role == Role::Client => {
                self.trailers(key, trailers)?;
                self.guard.head_too_large()
            }
            Outcome::TooLarge | Outcome::CutTrailers(_) => {
                self.fault(key, Reason::ENHANCE_YOUR_CALM, TOO_LARGE)?;
                self.guard.head_too_large()
            }
            Outcome::Malformed(text) => self.fault(key, Reason::PROTOCOL_ERROR, text),
            Outcome::Head(Head::Request(_)) => Ok(()),
        }
    }

    fn trailers(&mut self, key: StreamKey, trailers: FieldList) -> Result<(), Fatal> {
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        if !stream.count_length(0, true) {
            let text = "less DATA than content-length says";
            return self.fault(key, Reason::PROTOCOL_ERROR, text);
        }
        if self.role == Role::Client {
            stream.inbound.open().trailers = Some(trailers);
        }
        self.peer_ended(key);
        Ok(())
    }

    fn response(&mut self, key: StreamKey, response: Response, end: bool) -> Result<(), Fatal> {
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        if response.status < 200 {
            // Nothing was upgraded (RFC 9113 §8.6).
            if end || response.status == 101 {
                let text = "a 1xx response that cannot be one";
                return self.fault(key, Reason::PROTOCOL_ERROR, text);
            }
            if stream.interim == Stream::UNCOUNTED {
                return Ok(());
            }
            if stream.interim == MAX_INTERIM {
                return self.fault(key, Reason::CANCEL, TOO_MANY_INTERIM);
            }
            stream.interim += 1;
            return self.guard.informational(self.now);
        }
        // No body, whatever content-length says of what there would have been (RFC 9110 §8.6).
        let has_none = matches!(response.status, 204 | 304);
        stream.length_left = if has_none {
            Some(0)
        } else {
            response.content_length
        };
        if end && !stream.count_length(0, true) {
            let text = "less DATA than content-length says";
            return self.fault(key, Reason::PROTOCOL_ERROR, text);
        }
        stream.receiving = Receiving::Body;
        self.guard.head_fits();
        let parts = stream.inbound.open();
        parts.head = Some(Head::Response(response));
        parts.is_all = end;
        self.events.touch(key, &mut stream.marks);
        if end {
            self.peer_ended(key);
        }
        Ok(())
    }
}
