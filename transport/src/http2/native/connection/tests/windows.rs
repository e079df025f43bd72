//! RFC 9113 §5.2, §6.9: windows both ways, and whose turn it is.

use super::super::Role;
use super::script::{Script, client, config, server};
use crate::http2::bdp::Bdp;
use crate::http2::quota::Quota;

#[test]
fn nothing_is_sent_beyond_a_stream_s_window() {
    server(
        "> SETTINGS WINDOW=10
         < SETTINGS ack
         > HEADERS 1 request end
         ! Accept 1
         = head 1
         < HEADERS 1 200
         = data 1 25
         < DATA 1 10
         ! Blocked 1 true
         = trailers 1
         > WINDOW 1 1
         < DATA 1 1
         ! Blocked 1 false
         ! Blocked 1 true
         > WINDOW 1 100
         < DATA 1 14
         < HEADERS 1 trailers end
         ! Blocked 1 false
         ! Closed 1",
    );
}

#[test]
fn nothing_is_sent_beyond_the_connection_s_window() {
    server(
        "> SETTINGS WINDOW=100000
         < SETTINGS ack
         > HEADERS 1 request end
         ! Accept 1
         > HEADERS 3 request end
         ! Accept 3
         = head 1
         < HEADERS 1 200
         = head 3
         < HEADERS 3 200
         = data 1 65535
         < DATA 1 16384
         < DATA 1 16384
         < DATA 1 16384
         < DATA 1 16383
         = data 1 10
         ! Blocked 1 true
         = data 3 10
         ! Blocked 3 true
         > WINDOW 1 5
         > WINDOW 3 5
         > WINDOW 0 15
         < DATA 1 10
         < DATA 3 5
         ! Blocked 1 false
         ! Blocked 3 false
         ! Blocked 3 true
         > WINDOW 0 100
         < DATA 3 5
         ! Blocked 3 false",
    );
}

#[test]
fn a_smaller_initial_window_may_leave_less_than_nothing() {
    client(
        "> SETTINGS WINDOW=100
         < SETTINGS ack
         = start 100
         < HEADERS 1 request
         < DATA 1 100
         > SETTINGS WINDOW=10
         < SETTINGS ack
         = data 1 30
         ! Blocked 1 true
         > WINDOW 1 90
         > WINDOW 1 5
         < DATA 1 5
         ! Blocked 1 false
         ! Blocked 1 true
         > SETTINGS WINDOW=0
         < SETTINGS ack
         > SETTINGS WINDOW=20
         < SETTINGS ack
         < DATA 1 10
         ! Blocked 1 false
         ! Blocked 1 true",
    );
}

#[test]
fn ends_and_heads_need_no_window() {
    client(
        "> SETTINGS WINDOW=0
         < SETTINGS ack
         = start
         < HEADERS 1 request
         = finish 1
         < DATA 1 0 end
         = start 5 end
         < HEADERS 3 request
         ! Blocked 3 true",
    );
}

#[test]
fn windows_of_nothing_or_of_too_much_are_faults() {
    server("> WINDOW 0 0\n< GOAWAY 0 PROTOCOL_ERROR");
    server("> WINDOW 0 2147483647\n< GOAWAY 0 FLOW_CONTROL_ERROR");
    for (by, reason) in [(0, "PROTOCOL_ERROR"), (2_147_483_647, "FLOW_CONTROL_ERROR")] {
        server(&format!(
            "> HEADERS 1 request
             ! Accept 1
             > WINDOW 1 {by}
             < RST 1 {reason}
             ! Touched 1 Fault {reason}
             ! Closed 1"
        ));
    }
    server(
        "> HEADERS 1 request
         ! Accept 1
         > WINDOW 1 2147418112
         > SETTINGS WINDOW=65536
         < GOAWAY 1 FLOW_CONTROL_ERROR",
    );
}

#[test]
fn a_stream_gets_credit_for_what_is_read_and_a_connection_for_what_comes() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 60000
         ! Touched 1 data=60000
         = credit 1 10000
         = credit 1 10000
         < WINDOW 1 20000
         > DATA 1 20000 pad=100
         ! Touched 1 data=20000
         > DATA 1 5400 end
         ! Touched 1 data=5400 Clean
         = credit 1 60000
         > HEADERS 3 request
         ! Accept 3",
    );
    let mut script = server("");
    for stream in [1, 3, 5] {
        script = script.run(&format!(
            "> HEADERS {stream} request\n! Accept {stream}\n> DATA {stream} 60000\n! Touched {stream}"
        ));
    }
    script.run(
        "> RST 1 CANCEL
         ! Touched 1
         ! Closed 1
         > HEADERS 7 request
         ! Accept 7
         > DATA 7 65535
         ! Touched 7
         = credit 3 60000
         < WINDOW 3 60000
         > DATA 3 11074
         ! Touched 3
         > DATA 5 5535
         < WINDOW 0 262144
         ! Touched 5",
    );
}

#[test]
fn who_sends_beyond_a_window_is_stopped() {
    server(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 65536
         < RST 1 FLOW_CONTROL_ERROR
         ! Touched 1 Fault FLOW_CONTROL_ERROR
         ! Closed 1
         > DATA 1 60000",
    );
    let mut narrow = config(Role::Server);
    narrow.connection_window = 65_535;
    Script::agreed(narrow).run(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 65536
         < GOAWAY 1 FLOW_CONTROL_ERROR",
    );
}

/// A client may have sent before it has read that we want less.
#[test]
fn a_narrow_window_counts_from_its_acknowledgement() {
    let mut narrow = config(Role::Server);
    narrow.initial_stream_window = 1_000;
    Script::new(narrow).run(
        "< SETTINGS
         < WINDOW 0
         > SETTINGS
         < SETTINGS ack
         ! Settled
         > HEADERS 1 request
         ! Accept 1
         > DATA 1 65535
         ! Touched 1 data=65535
         > SETTINGS ack
         > HEADERS 3 request
         ! Accept 3
         > DATA 3 1001
         < RST 3 FLOW_CONTROL_ERROR
         ! Touched 3
         ! Closed 3
         = credit 1 65535
         < WINDOW 1 65535
         > DATA 1 1000
         ! Touched 1 data=1000",
    );
}

#[test]
fn ready_streams_take_turns() {
    let mut script = server("> SETTINGS WINDOW=1000000\n< SETTINGS ack\n> WINDOW 0 1000000");
    for stream in [1, 3, 5] {
        script = script.run(&format!(
            "> HEADERS {stream} request end\n! Accept {stream}"
        ));
    }
    // Small messages join in one frame; a small answer goes with its head.
    script.run(
        "> SETTINGS WINDOW=0
         < SETTINGS ack
         = head 1
         < HEADERS 1 200
         = head 3
         < HEADERS 3 200
         = head 5
         < HEADERS 5 200
         = data 1 40000
         ! Blocked 1 true
         = data 3 40000
         ! Blocked 3 true
         = data 5 5
         ! Blocked 5 true
         = data 5 6
         > SETTINGS WINDOW=1000000
         < SETTINGS ack
         < DATA 1 16384
         < DATA 3 16384
         < DATA 5 11
         < DATA 1 16384
         < DATA 3 16384
         < DATA 1 7232
         < DATA 3 7232
         ! Blocked 1 false
         ! Blocked 3 false
         ! Blocked 5 false",
    );
}

/// Sixteen KiB per stream at first; one of them has to take that much until anybody asks.
fn growing(role: Role) -> super::super::Config {
    let mut config = config(role);
    config.initial_stream_window = 16_384;
    config.connection_window = 64 << 20;
    config.bdp = Some(Bdp::new(16_384, 1 << 20));
    config
}

const A_WINDOW_FULL: &str = "
    > HEADERS 1 request
    ! Accept 1
    > DATA 1 16384
    ! Touched 1
    = credit 1 16384
    < PING m1
    < WINDOW 1 16384
    > DATA 1 16384
    ! Touched 1
    = credit 1 16384
    < WINDOW 1 16384
    + 10ms
    > PING ack m1";

#[test]
fn windows_grow_by_what_is_taken_in_a_round_trip() {
    let script = Script::agreed(growing(Role::Server));
    let script = script.run(&format!(
        "{A_WINDOW_FULL}
         < SETTINGS WINDOW=32768
         > DATA 1 32768
         ! Touched 1
         > HEADERS 3 request
         ! Accept 3
         > DATA 3 32768
         ! Touched 3
         = credit 1 32768
         < PING m2
         < WINDOW 1 32768
         > DATA 1 32768
         ! Touched 1
         = credit 1 32768
         < WINDOW 1 32768
         > SETTINGS ack
         + 10ms
         > PING ack m2
         < SETTINGS WINDOW=65536
         > SETTINGS ack"
    ));
    // The same again, but it takes ten times as long: more window has not paid.
    script.run(
        "> DATA 1 65536
         ! Touched 1
         = credit 1 65536
         < PING m3
         < WINDOW 1 65536
         > DATA 1 65536
         ! Touched 1
         = credit 1 65536
         < WINDOW 1 65536
         + 100ms
         > PING ack m3",
    );
}

#[test]
fn growth_ends_with_the_quota_of_all_connections() {
    let quota = Quota::default();
    let mut config = growing(Role::Server);
    // Three streams may be open.
    config.lease = Some(quota.lease(3 * 8_192));
    Script::agreed(config).run(&format!("{A_WINDOW_FULL}\n< SETTINGS WINDOW=24576"));
    let mut config = growing(Role::Server);
    config.lease = Some(quota.lease(3 * 1_024));
    let other = Script::agreed(config).run(A_WINDOW_FULL);
    assert_eq!(
        quota.lease(3 * 8_192).take(u64::MAX),
        3 * 8_192,
        "all is given back"
    );
    drop(other);
}

#[test]
fn nobody_measures_a_path_whose_server_leaves() {
    let script = Script::agreed(growing(Role::Client)).run(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > HEADERS 1 response
         ! Touched 1
         > GOAWAY 1 ENHANCE_YOUR_CALM too_many_pings
         ! GoneAway",
    );
    let taken = "> DATA 1 16384\n! Touched 1\n= credit 1 16384\n< WINDOW 1 16384\n";
    script.run(&taken.repeat(5));
}

#[test]
fn nothing_is_measured_by_another_one_s_ping() {
    let mut config = growing(Role::Server);
    let now = std::time::Instant::now();
    let every = std::time::Duration::from_secs(30);
    config.keepalive = crate::http2::ServerKeepalive::every(every).policy(now);
    Script::agreed(config).run(
        "+ 31s
         < PING k1
         > HEADERS 1 request
         ! Accept 1
         > DATA 1 16384
         ! Touched 1
         = credit 1 16384
         < WINDOW 1 16384
         > PING ack k1",
    );
}

#[test]
fn a_connection_s_window_never_holds_up_a_single_stream() {
    let mut narrow = growing(Role::Server);
    narrow.connection_window = 0;
    narrow.initial_stream_window = 100_000;
    Script::new(narrow).run("< SETTINGS\n< WINDOW 0 34465");
    let mut narrow = growing(Role::Server);
    narrow.connection_window = 0;
    narrow.initial_stream_window = 65_536;
    narrow.bdp = Some(Bdp::new(65_536, 1 << 20));
    Script::agreed(narrow).run(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 65536
         < WINDOW 0 65536
         ! Touched 1
         = credit 1 65536
         < PING m1
         < WINDOW 1 65536
         > DATA 1 65536
         < WINDOW 0 65536
         ! Touched 1
         = credit 1 65536
         < WINDOW 1 65536
         + 10ms
         > PING ack m1
         < SETTINGS WINDOW=131072
         < WINDOW 0 196608",
    );
}

/// Calls that begin without end do not hold up a stream that has begun, nor it them.
#[test]
fn small_calls_and_a_large_one_share_the_wire() {
    let mut script = client(
        "> SETTINGS WINDOW=1000000
         < SETTINGS ack
         > WINDOW 0 10000000
         = start
         < HEADERS 1 request",
    );
    let now = script.now;
    let start = |data: usize| super::super::Start {
        form: super::script::form().into(),
        extra: Default::default(),
        data: vec![0; data].into(),
        end: true,
        has_deadline: false,
    };
    script.core.start(start(100_000), now).unwrap();
    for _ in 0..20 {
        script.core.start(start(10_000), now).unwrap();
    }
    script.core.fill(&mut script.out, now);
    let frames = script.read();
    let mut between = 0;
    let mut turns = 0;
    for frame in frames.iter().filter(|frame| frame.starts_with("DATA")) {
        if frame.starts_with("DATA 3 ") {
            (between, turns) = (0, turns + 1);
            continue;
        }
        between += 1;
        assert!(between <= 4, "{frames:?}");
    }
    assert!((4..7).contains(&turns), "{frames:?}");
}
