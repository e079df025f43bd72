//! RFC 9113 §6.1, §8.1: bodies, their length, their ends, and answers that come early.

use super::script::{client, server};

#[test]
fn a_body_is_as_long_as_content_length_says() {
    server(
        "> HEADERS 1 request content-length=10
         ! Accept 1
         > DATA 1 4
         ! Touched 1 data=4
         > DATA 1 6 pad=3 end
         ! Touched 1 data=6 Clean
         > HEADERS 3 request content-length=10
         ! Accept 3
         > DATA 3 11
         < RST 3 PROTOCOL_ERROR
         ! Touched 3 Fault PROTOCOL_ERROR
         ! Closed 3
         > HEADERS 5 request content-length=10
         ! Accept 5
         > DATA 5 9 end
         < RST 5 PROTOCOL_ERROR
         ! Touched 5 Fault PROTOCOL_ERROR
         ! Closed 5
         > HEADERS 7 request content-length=10 end
         < RST 7 PROTOCOL_ERROR
         > HEADERS 9 request content-length=0 end
         ! Accept 9",
    );
    client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > HEADERS 1 response content-length=5
         ! Touched 1 head
         > HEADERS 1 trailers end
         < RST 1 PROTOCOL_ERROR
         ! Touched 1 Fault PROTOCOL_ERROR
         ! Closed 1
         = start end
         < HEADERS 3 request
         < DATA 3 0 end
         > HEADERS 3 response content-length=5 end
         < RST 3 PROTOCOL_ERROR
         ! Touched 3 Fault PROTOCOL_ERROR
         ! Closed 3",
    );
}

#[test]
fn some_answers_have_no_body_whatever_their_length_is_called() {
    for status in [204, 304] {
        client(&format!(
            "= start end
             < HEADERS 1 request
             < DATA 1 0 end
             > HEADERS 1 :status={status} content-length=5 end
             ! Touched 1 head Clean
             ! Closed 1
             = start end
             < HEADERS 3 request
             < DATA 3 0 end
             > HEADERS 3 :status={status}
             ! Touched 3 head
             > DATA 3 1
             < RST 3 PROTOCOL_ERROR
             ! Touched 3 Fault PROTOCOL_ERROR
             ! Closed 3"
        ));
    }
}

#[test]
fn short_payloads_are_joined() {
    let script = server(
        "> HEADERS 1 request
         ! Accept 1",
    );
    let mut script = script;
    for _ in 0..1_000 {
        let frame = super::super::super::frame::Frame::Data {
            stream: super::super::super::frame::StreamId(1),
            payload: vec![b'x'].into(),
            flow: 1,
            end: false,
        };
        script.core.frame(frame, script.now).unwrap();
    }
    let mut events = Vec::new();
    script.core.events(&mut events);
    let [super::super::Event::Touched(key)] = events[..] else {
        panic!("once per batch: {events:?}");
    };
    let parts = script.core.inbound(key).unwrap().open();
    assert_eq!((parts.chunks.len(), parts.tail.len()), (1, 999));
}

/// The server asks for no more, and what is under way is no fault.
#[test]
fn an_answer_may_come_before_the_request_has_ended() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         = only 1 200
         < HEADERS 1 200 end
         < RST 1 NO_ERROR
         ! Closed 1
         > DATA 1 100
         > DATA 1 0 end
         > RST 1 CANCEL",
    );
}

#[test]
fn a_client_ends_its_half_with_the_answer() {
    client(
        "= start 10
         < HEADERS 1 request
         < DATA 1 10
         > HEADERS 1 response
         ! Touched 1 head
         > HEADERS 1 trailers end
         < RST 1 CANCEL
         ! Touched 1 trailers Clean
         ! Closed 1
         > RST 1 NO_ERROR
         = data 1 10
         = finish 1",
    );
}

/// NO_ERROR is no end either: what was cut is never complete.
#[test]
fn a_reset_before_the_trailers_is_a_reset() {
    client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > HEADERS 1 response
         ! Touched 1 head
         > DATA 1 5
         ! Touched 1 data=5
         > RST 1 NO_ERROR
         ! Touched 1 Reset NO_ERROR
         ! Closed 1",
    );
}

#[test]
fn an_unknown_reason_is_kept_as_its_number() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         > RST 1 48879
         ! Touched 1 Reset unknown
         ! Closed 1",
    );
}
