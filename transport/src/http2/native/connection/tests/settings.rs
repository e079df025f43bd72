//! RFC 9113 §3.4, §6.5: SETTINGS of both sides.

use super::super::Role;
use super::script::{Script, client, config, server};

#[test]
fn a_connection_begins_with_what_we_grant() {
    Script::new(config(Role::Server)).run(
        "< SETTINGS STREAMS=3 WINDOW=65535 FRAME=16384 LIST=16384
         < WINDOW 0 983041",
    );
    Script::new(config(Role::Client)).run(
        "< SETTINGS PUSH=0 WINDOW=65535 FRAME=16384 LIST=16384
         < WINDOW 0 983041",
    );
}

#[test]
fn settings_come_first() {
    for frame in [
        "PING 1",
        "SETTINGS ack",
        "WINDOW 0 1",
        "UNKNOWN",
        "HEADERS 1 request",
    ] {
        for role in [Role::Server, Role::Client] {
            Script::new(config(role)).run(&format!(
                "< SETTINGS
                 < WINDOW 0 983041
                 > {frame}
                 < GOAWAY 0 PROTOCOL_ERROR"
            ));
        }
    }
}

#[test]
fn values_have_ranges() {
    for (pair, reason) in [
        ("PUSH=2", "PROTOCOL_ERROR"),
        ("FRAME=16383", "PROTOCOL_ERROR"),
        ("FRAME=16777216", "PROTOCOL_ERROR"),
        ("WINDOW=2147483648", "FLOW_CONTROL_ERROR"),
    ] {
        server(&format!("> SETTINGS {pair}\n< GOAWAY 0 {reason}"));
        client(&format!("> SETTINGS {pair}\n< GOAWAY 0 {reason}"));
    }
    server("> SETTINGS PUSH=1\n< SETTINGS ack");
    client("> SETTINGS PUSH=1\n< GOAWAY 0 PROTOCOL_ERROR");
    server("> SETTINGS OTHER=1 FRAME=16777215 WINDOW=2147483647\n< SETTINGS ack");
}

#[test]
fn a_server_may_limit_streams_at_any_time() {
    client(
        "> SETTINGS STREAMS=5
         < SETTINGS ack
         ! Limit 5
         > SETTINGS STREAMS=1 STREAMS=0
         < SETTINGS ack
         ! Limit 0
         > SETTINGS WINDOW=5
         < SETTINGS ack",
    );
}

#[test]
fn who_acknowledges_nothing_is_given_up() {
    Script::new(config(Role::Server)).run(
        "< SETTINGS
         < WINDOW 0
         > SETTINGS
         < SETTINGS ack
         ! Settled
         + 19s
         + 1s
         < GOAWAY 0 SETTINGS_TIMEOUT",
    );
    server("+ 3600s");
}

#[test]
fn lists_that_the_peer_does_not_take_are_not_sent() {
    client(
        "> SETTINGS LIST=100
         < SETTINGS ack
         = start end
         ! Touched 1 Fault INTERNAL_ERROR
         ! Closed 1
         > SETTINGS LIST=10000
         < SETTINGS ack
         = start end
         < HEADERS 3 request
         < DATA 3 0 end",
    );
    server(
        "> SETTINGS LIST=1000
         < SETTINGS ack
         > HEADERS 1 request end
         ! Accept 1
         = head 1
         < HEADERS 1 200
         = trailers 1 1000
         < RST 1 INTERNAL_ERROR
         ! Touched 1 Fault INTERNAL_ERROR
         ! Closed 1",
    );
}

#[test]
fn a_large_head_goes_out_in_pieces() {
    server(
        "> HEADERS 1 request end
         ! Accept 1
         = head 1
         < HEADERS 1 200
         = trailers 1 50000
         < HEADERS 1 trailers end
         ! Closed 1",
    );
}
