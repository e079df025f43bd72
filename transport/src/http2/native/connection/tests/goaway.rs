//! RFC 9113 §6.8: leaving, from both sides.

use super::script::{client, server};

#[test]
fn a_server_drains_in_two_steps() {
    let rest = "< GOAWAY 3 NO_ERROR test
         > HEADERS 5 request
         < RST 5 REFUSED_STREAM
         > DATA 5 100 end
         > HEADERS 1 x=1 end
         ! Touched 1 Clean
         = only 1 200
         < HEADERS 1 200 end
         ! Closed 1";
    let begin = "> HEADERS 1 request
         ! Accept 1
         = drain
         < GOAWAY 2147483647 NO_ERROR test
         < PING d1
         = drain
         > HEADERS 3 request end
         ! Accept 3";
    for answer in ["> PING ack d1", "+ 1s"] {
        let script = server(&format!("{begin}\n{answer}\n{rest}"));
        assert!(!script.core.is_done());
        let script = script.run("= only 3 200\n< HEADERS 3 200 end\n! Closed 3\n+ 100s");
        assert!(script.core.is_done());
    }
}

#[test]
fn a_client_that_leaves_opens_nothing_more() {
    let script = client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         = drain
         < GOAWAY 0 NO_ERROR test
         = start end
         ! Never",
    );
    assert!(!script.core.is_done());
    let script = script.run("> HEADERS 1 response end\n! Touched 1 head Clean\n! Closed 1");
    assert!(script.core.is_done());
}

#[test]
fn a_goaway_leaves_out_what_is_above_its_last() {
    let script = client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         = start end
         < HEADERS 3 request
         < DATA 3 0 end
         = start
         < HEADERS 5 request
         > GOAWAY 2147483647 NO_ERROR soon
         ! GoneAway 2147483647 NO_ERROR
         = start
         ! Never
         > GOAWAY 1 NO_ERROR too\u{1b}late
         ! Touched 3 LeftOut
         ! Closed 3
         ! Touched 5 LeftOut
         ! Closed 5
         ! GoneAway 1 NO_ERROR
         > HEADERS 3 response
         > GOAWAY 5 ENHANCE_YOUR_CALM too_many_pings
         ! GoneAway 1 ENHANCE_YOUR_CALM",
    );
    let (reason, text) = script.core.goodbye().unwrap();
    assert_eq!(
        (reason.name(), text),
        (Some("ENHANCE_YOUR_CALM"), "too_many_pings")
    );
    assert!(!script.core.is_done());
    let script = script.run("> HEADERS 1 response end\n! Touched 1 head Clean\n! Closed 1");
    assert!(script.core.is_done());
}

#[test]
fn text_that_nobody_can_print_is_not_kept() {
    let script = client("> GOAWAY 0 NO_ERROR a\u{1b}b\n! GoneAway 0 NO_ERROR");
    assert_eq!(script.core.goodbye().unwrap().1, "a?b");
    let long = "x".repeat(1_000);
    let script = client(&format!(
        "> GOAWAY 0 NO_ERROR {long}\n! GoneAway 0 NO_ERROR"
    ));
    assert_eq!(script.core.goodbye().unwrap().1.len(), 256);
}

#[test]
fn a_client_s_goaway_does_not_stop_what_it_has_begun() {
    server(
        "> HEADERS 1 request end
         ! Accept 1
         > GOAWAY 0 NO_ERROR
         ! GoneAway 0 NO_ERROR
         = only 1 200
         < HEADERS 1 200 end
         ! Closed 1",
    );
}

#[test]
fn closing_says_why_and_nothing_else_follows() {
    let script = server(
        "> HEADERS 1 request
         ! Accept 1
         = close ENHANCE_YOUR_CALM
         < GOAWAY 1 ENHANCE_YOUR_CALM test
         > PING 1
         > DATA 1 5
         = only 1 200
         = close NO_ERROR
         + 100s",
    );
    assert!(script.core.is_done());
}

#[test]
fn who_is_told_nothing_is_refused() {
    server(
        "= refuse
         > HEADERS 1 request
         < RST 1 REFUSED_STREAM
         > DATA 1 5 end",
    );
}

const LATE: u32 = (1 << 31) / 4 * 3 + 1;

#[test]
fn a_client_leaves_a_connection_before_its_numbers_are_used_up() {
    let mut script = client("");
    script.core.ids.next = LATE - 2;
    let script = script.run(&format!(
        "= start end
         < HEADERS {last} request
         < DATA {last} 0 end
         ! GoneAway 2147483647 NO_ERROR
         = start end
         ! Never",
        last = LATE - 2
    ));
    assert!(!script.core.is_done());
    let script = script.run(&format!(
        "> HEADERS {0} response end
         ! Touched {0} head Clean
         ! Closed {0}",
        LATE - 2
    ));
    assert!(script.core.is_done());
}

#[test]
fn a_server_sends_its_client_away_before_numbers_are_used_up() {
    server(&format!(
        "> HEADERS {LATE} request end
         < GOAWAY 2147483647 NO_ERROR max_stream_id
         < PING d1
         ! Accept {LATE}
         > PING ack d1
         < GOAWAY {LATE} NO_ERROR max_stream_id"
    ));
}
