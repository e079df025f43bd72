//! RFC 9113 §5.1: what may come for a stream, and when.

use super::script::{client, server};

#[test]
fn a_unary_rpc_on_a_server() {
    server(
        "> HEADERS 1 request
         ! Accept 1 head
         > DATA 1 10 end
         ! Touched 1 data=10 Clean
         = head 1
         < HEADERS 1 200
         = data 1 20
         < DATA 1 20
         = trailers 1
         < HEADERS 1 trailers end
         ! Closed 1
         > HEADERS 3 request end
         ! Accept 3 head Clean",
    );
}

#[test]
fn a_unary_call_on_a_client() {
    client(
        "= start 10 end
         < HEADERS 1 request
         < DATA 1 10 end
         > HEADERS 1 response
         ! Touched 1 head
         > DATA 1 20
         ! Touched 1 data=20
         > HEADERS 1 trailers end
         ! Touched 1 trailers Clean
         ! Closed 1
         = start end
         < HEADERS 3 request
         < DATA 3 0 end",
    );
}

#[test]
fn a_stream_that_nobody_has_opened_takes_nothing() {
    for frame in [
        "DATA 5 1",
        "RST 5 CANCEL",
        "WINDOW 5 1",
        "DATA 2 1",
        "RST 2 CANCEL",
        "WINDOW 2 1",
    ] {
        server(&format!("> {frame}\n< GOAWAY 0 PROTOCOL_ERROR"));
        client(&format!("> {frame}\n< GOAWAY 0 PROTOCOL_ERROR"));
    }
    server("> PRIORITY 5 3\n> PRIORITY 2 3");
    client("> HEADERS 1 response\n< GOAWAY 0 PROTOCOL_ERROR");
    client("> HEADERS 2 response\n< GOAWAY 0 PROTOCOL_ERROR");
}

#[test]
fn a_half_that_has_ended_takes_no_more() {
    for frame in ["DATA 1 1", "DATA 1 0 end", "HEADERS 1 trailers end"] {
        server(&format!(
            "> HEADERS 1 request end
             ! Accept 1 head Clean
             > {frame}
             < RST 1 STREAM_CLOSED
             ! Touched 1 Fault STREAM_CLOSED
             ! Closed 1"
        ));
    }
    server(
        "> HEADERS 1 request end
         ! Accept 1 head Clean
         > WINDOW 1 5
         > PRIORITY 1 3
         > RST 1 CANCEL
         ! Touched 1 Reset CANCEL
         ! Closed 1",
    );
}

#[test]
fn what_the_peer_has_reset_is_closed_for_it() {
    for frame in ["DATA 1 1", "HEADERS 1 trailers end"] {
        server(&format!(
            "> HEADERS 1 request
             ! Accept 1 head
             > RST 1 CANCEL
             ! Touched 1 Reset CANCEL
             ! Closed 1
             > WINDOW 1 1
             > RST 1 CANCEL
             > PRIORITY 1 3
             > {frame}
             < GOAWAY 1 STREAM_CLOSED"
        ));
    }
}

#[test]
fn what_both_have_ended_is_closed() {
    for frame in ["DATA 1 1", "HEADERS 1 request end"] {
        server(&format!(
            "> HEADERS 1 request end
             ! Accept 1
             = only 1 200
             < HEADERS 1 200 end
             ! Closed 1
             > WINDOW 1 1
             > RST 1 CANCEL
             > {frame}
             < GOAWAY 1 STREAM_CLOSED"
        ));
        let frame = frame.replace("request", "trailers");
        client(&format!(
            "= start end
             < HEADERS 1 request
             < DATA 1 0 end
             > HEADERS 1 response end
             ! Touched 1 head Clean
             ! Closed 1
             > {frame}
             < GOAWAY 0 STREAM_CLOSED"
        ));
    }
}

#[test]
fn late_frames_for_what_we_have_reset_are_forgiven() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         = reset 1 CANCEL
         < RST 1 CANCEL
         ! Closed 1
         > DATA 1 1000
         > HEADERS 1 trailers end
         > WINDOW 1 5
         > RST 1 CANCEL
         > HEADERS 3 request
         ! Accept 3",
    );
    client(
        "= start
         < HEADERS 1 request
         = reset 1 CANCEL
         < RST 1 CANCEL
         ! Closed 1
         > HEADERS 1 response
         > DATA 1 1000
         > HEADERS 1 trailers end",
    );
}

#[test]
fn numbers_only_rise_and_are_odd() {
    server("> HEADERS 2 request\n< GOAWAY 0 PROTOCOL_ERROR");
    server(
        "> HEADERS 5 request
         ! Accept 5
         > HEADERS 3 request
         < GOAWAY 5 PROTOCOL_ERROR",
    );
}

#[test]
fn streams_beyond_the_limit_are_refused() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         > HEADERS 3 request
         ! Accept 3
         > HEADERS 5 request
         ! Accept 5
         > HEADERS 7 request
         < RST 7 REFUSED_STREAM
         > DATA 7 10 end
         > RST 1 CANCEL
         ! Touched 1 Reset CANCEL
         ! Closed 1
         > HEADERS 9 request
         ! Accept 9",
    );
}

#[test]
fn a_stream_that_depends_on_itself_fails() {
    server(
        "> HEADERS 1 request depends=1
         < RST 1 PROTOCOL_ERROR
         > HEADERS 3 request depends=1
         ! Accept 3
         > PRIORITY 3 3
         < RST 3 PROTOCOL_ERROR
         ! Touched 3 Fault PROTOCOL_ERROR
         ! Closed 3
         > HEADERS 5 request
         ! Accept 5
         > PRIORITY 5 bad
         < RST 5 FRAME_SIZE_ERROR
         ! Touched 5 Fault FRAME_SIZE_ERROR
         ! Closed 5",
    );
    server("> PRIORITY 9 9\n< GOAWAY 0 PROTOCOL_ERROR");
    server("> PRIORITY 9 bad\n< GOAWAY 0 FRAME_SIZE_ERROR");
}

#[test]
fn a_call_that_is_reset_before_it_is_written_never_reaches_the_wire() {
    let mut script = client("");
    let key = script
        .core
        .start(
            super::super::Start {
                form: super::script::form().into(),
                extra: Default::default(),
                data: Default::default(),
                end: true,
                has_deadline: false,
            },
            script.now,
        )
        .unwrap();
    assert_eq!(script.core.head_offset(key), None, "surely unprocessed");
    let reason = super::super::super::frame::Reason::CANCEL;
    script
        .core
        .order(key, super::super::Order::Reset(reason), script.now);
    script.settle();
    script.run("! Closed 1\n= start end\n< HEADERS 3 request\n< DATA 3 0 end");
}

#[test]
fn nothing_is_kept_of_what_is_said_after_the_end() {
    let mut script = client("= start end\n< HEADERS 1 request\n< DATA 1 0 end");
    for order in ["data 1 1000", "trailers 1", "finish 1", "data 1 1000"] {
        script = script.run(&format!("= {order}"));
    }
    let held = |script: &super::script::Script| {
        let streams = script.core.streams.entries();
        streams
            .map(|(_, stream)| stream.queue.bytes())
            .sum::<usize>()
    };
    assert_eq!(held(&script), 0);
    let script = client("= start\n< HEADERS 1 request\n= finish 1\n< DATA 1 0 end\n= data 1 9");
    assert_eq!(held(&script), 0);
}
