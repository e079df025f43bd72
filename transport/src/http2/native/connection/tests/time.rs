//! What time brings: PINGs, keepalive.

use std::time::Duration;

use super::super::Role;
use super::script::{Script, config, server};
use crate::http2::{Keepalive, ServerKeepalive};

#[test]
fn a_ping_is_answered_ahead_of_data() {
    server(
        "> HEADERS 1 request end
         ! Accept 1
         > PING 7
         < PING ack 7
         > PING ack k9",
    );
}

#[test]
fn a_silent_server_is_asked_only_while_calls_are_open() {
    let mut config = config(Role::Client);
    let now = std::time::Instant::now();
    config.keepalive = Keepalive::every(Duration::from_secs(30)).policy(now);
    Script::agreed(config).run(
        "+ 29s
         + 500s
         = start end
         < PING k1
         < HEADERS 1 request
         < DATA 1 0 end
         > PING ack k1
         + 29s
         > DATA 99 5
         < GOAWAY 0 PROTOCOL_ERROR",
    );
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    let mut config = config(Role::Server);
    let now = std::time::Instant::now();
    config.keepalive = ServerKeepalive::every(Duration::from_secs(30)).policy(now);
    Script::agreed(config).run(
        "+ 29s
         > PING 1
         < PING ack 1
         + 31s
         < PING k1
         > PING ack k1
         + 31s
         < PING k2
         + 18s
         + 2s
         < GOAWAY 0 NO_ERROR keepalive_timeout",
    );
}
