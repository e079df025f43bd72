//! What a peer may make us do for nothing: each kind crosses its cap, and traffic that means well
//! never does.

use std::time::Duration;

use super::super::super::guard::Limits;
use super::super::super::strikes::Strikes;
use super::super::{Config, Role};
use super::script::{Script, config};
use crate::http2::held::Pressure;

/// The same for many streams or rounds: `#` is the number.
#[track_caller]
fn rounds(script: Script, numbers: impl Iterator<Item = u32>, round: &str) -> Script {
    numbers.fold(script, |script, number| {
        script.run(&round.replace('#', &number.to_string()))
    })
}

fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

fn server() -> Script {
    Script::agreed(config(Role::Server))
}

fn client() -> Script {
    Script::agreed(config(Role::Client))
}

const OPENED: &str = "> HEADERS # request\n! Accept #";

#[test]
fn streams_may_be_opened_only_to_be_reset_some_hundred_times() {
    let reset = format!("{OPENED}\n> RST # CANCEL\n! Touched # Reset CANCEL\n! Closed #");
    let script = rounds(server(), streams(250), &reset);
    script.run(
        "> HEADERS 501 request
         ! Accept 501
         > RST 501 CANCEL
         < GOAWAY 501 ENHANCE_YOUR_CALM too_many_resets
         ! Touched 501 Reset CANCEL
         ! Closed 501
         > PING 1",
    );
}

#[test]
fn streams_that_have_an_answer_may_be_reset_without_end() {
    let answered = format!(
        "{OPENED}
         = head #
         < HEADERS # 200
         > RST # CANCEL
         ! Touched # Reset CANCEL
         ! Closed #"
    );
    rounds(server(), streams(2_000), &answered).run("> PING 1\n< PING ack 1");
}

#[test]
fn old_streams_may_be_reset_without_end() {
    let reset = format!("{OPENED}\n+ 50ms\n> RST # CANCEL\n! Touched # Reset CANCEL\n! Closed #");
    // Without the time that passes there would be nothing to come back from.
    rounds(server(), streams(3_000), &reset).run("> PING 1\n< PING ack 1");
}

/// The text of the field decides, wherever the head has it from.
#[test]
fn streams_whose_deadline_has_passed_may_be_reset_without_end() {
    let reset = |timeout: &str, wait: &str| {
        format!(
            "> HEADERS # request grpc-timeout={timeout}
             ! Accept #
             + {wait}
             > RST # CANCEL
             ! Touched # Reset CANCEL
             ! Closed #"
        )
    };
    for (timeout, wait) in [("7m", "7ms"), ("20000u", "20ms"), ("9999999n", "10ms")] {
        let script = rounds(server(), streams(3_000), &reset(timeout, wait));
        script.run("> PING 1\n< PING ack 1");
    }
    // Nobody has waited for that; and longer ones do not count here.
    for (timeout, wait) in [
        ("20m", "1ms"),
        ("1S", "1ms"),
        ("100m", "1ms"),
        ("5x", "1ms"),
    ] {
        let script = rounds(server(), streams(625), &reset(timeout, wait));
        script.run(&format!(
            "> HEADERS 1251 request grpc-timeout={timeout}
             ! Accept 1251
             + {wait}
             > RST 1251 CANCEL
             < GOAWAY 1251 ENHANCE_YOUR_CALM too_many_resets
             ! Touched 1251 Reset CANCEL
             ! Closed 1251"
        ));
    }
}

#[test]
fn who_completes_as_many_calls_may_reset_without_end() {
    let round = "> HEADERS # request end
         ! Accept #
         = only # 200
         < HEADERS # 200 end
         ! Closed #";
    let reset = format!("{OPENED}\n+ 1ms\n> RST # CANCEL\n! Touched # Reset CANCEL\n! Closed #");
    let mut script = server();
    for number in 0..2_000_u32 {
        script = rounds(script, std::iter::once(4 * number + 1), round);
        script = rounds(script, std::iter::once(4 * number + 3), &reset);
    }
    script.run("> PING 1\n< PING ack 1");
}

#[test]
fn rules_of_streams_may_be_broken_two_hundred_times() {
    let broken = "> HEADERS # request
         ! Accept #
         > WINDOW # 0
         < RST # PROTOCOL_ERROR
         ! Touched # Fault PROTOCOL_ERROR
         ! Closed #";
    let script = rounds(server(), streams(200), broken);
    script.run(
        "> HEADERS 401 request
         ! Accept 401
         > WINDOW 401 0
         < RST 401 PROTOCOL_ERROR
         < GOAWAY 401 ENHANCE_YOUR_CALM too_many_stream_errors
         ! Touched 401 Fault PROTOCOL_ERROR
         ! Closed 401",
    );
    // A client with a bug lives as long as it has it ten times a second.
    rounds(server(), streams(500), &format!("{broken}\n+ 100ms"));
}

#[test]
fn streams_beyond_the_limit_are_refused_a_thousand_times() {
    let full = "> HEADERS 1 request\n! Accept 1\n> HEADERS 3 request\n! Accept 3\n> HEADERS 5 request\n! Accept 5";
    let beyond = || (7..).step_by(2).take(1_000);
    let refused = "> HEADERS # request\n< RST # REFUSED_STREAM";
    let script = rounds(server().run(full), beyond(), refused);
    script.run(
        "> HEADERS 2007 request
         < RST 2007 REFUSED_STREAM
         < GOAWAY 5 ENHANCE_YOUR_CALM too_many_refused_streams",
    );
    // Who does not know the limit yet is not to blame.
    let unknown = Script::new(config(Role::Server)).begun();
    let script = rounds(unknown.run(full), beyond(), refused);
    script.run("> HEADERS 2007 request\n< RST 2007 REFUSED_STREAM");
    // A server that leaves refuses, and counts nothing.
    let script = rounds(server().run("= refuse"), beyond(), refused);
    script.run("> HEADERS 2007 request\n< RST 2007 REFUSED_STREAM");
}

#[test]
fn twenty_heads_in_a_row_may_be_too_large() {
    let large = "> HEADERS # request large end\n< HEADERS # 431 end";
    let script = rounds(server(), streams(20), large);
    script.run(
        "> HEADERS 41 request large end
         < HEADERS 41 431 end
         < GOAWAY 0 ENHANCE_YOUR_CALM header_list_too_large",
    );
    let mut script = server();
    for number in 0..100 {
        script = rounds(script, (40 * number + 1..).step_by(2).take(19), large);
        let good =
            "> HEADERS # request end\n! Accept #\n= only # 200\n< HEADERS # 200 end\n! Closed #";
        script = rounds(script, std::iter::once(40 * number + 39), good);
    }
}

#[test]
fn a_head_of_many_times_the_limit_is_no_mistake() {
    let large = "x-large=".to_owned() + &"x".repeat(270_000);
    server().run(&format!(
        "> HEADERS 1 request {large} end\n< GOAWAY 0 ENHANCE_YOUR_CALM header_list_too_large"
    ));
}

#[test]
fn a_hundred_settings_are_plenty() {
    let settings = "> SETTINGS WINDOW=#\n< SETTINGS ack";
    let script = rounds(server(), 0..99, settings);
    script.run("> SETTINGS\n< GOAWAY 0 ENHANCE_YOUR_CALM too_many_settings");
    rounds(server(), 0..1_000, &format!("{settings}\n+ 1s"));
}

#[test]
fn a_hundred_pings_are_plenty_unless_something_is_sent_between() {
    let ping = "> PING 1\n< PING ack 1";
    for script in [server(), client()] {
        let script = rounds(script, 0..100, ping);
        script.run("> PING 1\n< PING ack 1\n< GOAWAY 0 ENHANCE_YOUR_CALM too_many_pings");
    }
    let script = server()
        .run("> WINDOW 0 1000000\n> HEADERS 1 request\n! Accept 1\n= head 1\n< HEADERS 1 200");
    rounds(
        script,
        0..1_000,
        &format!("{ping}\n{ping}\n= data 1 1\n< DATA 1 1"),
    );
}

fn enforcing(without_streams: bool) -> Script {
    let mut config = config(Role::Server);
    config.strikes = Some(Strikes::new(Duration::from_secs(300), without_streams));
    Script::agreed(config)
}

#[test]
fn a_server_enforces_the_pace_of_pings() {
    let ping = "> PING 1\n< PING ack 1";
    let struck = "> PING 1\n< PING ack 1\n< GOAWAY # ENHANCE_YOUR_CALM too_many_pings";
    // The first one, and two strikes.
    let script = rounds(enforcing(false), 0..3, ping);
    rounds(script, 0..1, struck);
    let waiting = || enforcing(false).run("> HEADERS 1 request\n! Accept 1");
    let script = rounds(waiting(), 0..3, &format!("{ping}\n+ 299s"));
    rounds(script, 1..2, struck);
    rounds(waiting(), 0..100, &format!("{ping}\n+ 300s"));
    // Without streams only every two hours, unless it is permitted.
    let script = rounds(enforcing(false), 0..3, &format!("{ping}\n+ 7199s"));
    rounds(script, 0..1, struck);
    rounds(enforcing(false), 0..100, &format!("{ping}\n+ 7200s"));
    rounds(enforcing(true), 0..100, &format!("{ping}\n+ 300s"));
    // Whatever the server sends begins it anew, as for clients that measure what they receive.
    let script = waiting().run("= head 1\n< HEADERS 1 200");
    rounds(
        script,
        0..1_000,
        &format!("{ping}\n{ping}\n= data 1 1\n< DATA 1 1"),
    );
}

#[test]
fn a_hundred_empty_data_frames_are_plenty() {
    for empty in ["> DATA 1 0", "> DATA 1 0 pad=9"] {
        let open = || server().run("> HEADERS 1 request\n! Accept 1");
        let script = rounds(open(), 0..100, empty);
        script.run(&format!(
            "{empty}\n< GOAWAY 1 ENHANCE_YOUR_CALM too_many_empty_frames"
        ));
        let full = format!("{empty}\n> DATA 1 1\n! Touched 1 data=1");
        rounds(open(), 0..1_000, &full);
    }
    // One that ends its stream is how many clients say so.
    let round = "> HEADERS # request
         ! Accept #
         > DATA # 0 end
         ! Touched # Clean
         = only # 200
         < HEADERS # 200 end
         ! Closed #";
    rounds(server(), streams(1_000), round);
}

#[test]
fn windows_may_be_updated_two_thousand_times_for_nothing() {
    for update in ["> WINDOW 0 1", "> WINDOW 1 1"] {
        let script = server().run("> HEADERS 1 request\n! Accept 1");
        // Two more for the stream, had any been used up.
        let script = rounds(script, 0..2_000, update);
        script.run(&format!(
            "{update}\n< GOAWAY 1 ENHANCE_YOUR_CALM too_many_window_updates"
        ));
    }
}

/// Go's client gives back 4 KiB at a time, on the stream and on the connection.
#[test]
fn a_reader_in_small_steps_is_no_attacker() {
    let script = server().run(
        "> HEADERS 1 request
         ! Accept 1
         = head 1
         < HEADERS 1 200
         = data 1 65535
         < DATA 1 16384
         < DATA 1 16384
         < DATA 1 16384
         < DATA 1 16383",
    );
    let steps = "> WINDOW 0 4096\n> WINDOW 1 4096\n".repeat(4);
    rounds(
        script,
        0..2_000,
        &format!("{steps}= data 1 16384\n< DATA 1 16384"),
    );
    // Or what it takes late, of streams that are over.
    let round = "> HEADERS # request end
         ! Accept #
         = head #
         < HEADERS # 200
         = data # 16384
         < DATA # 16384
         = trailers #
         < HEADERS # trailers end
         ! Closed #
         > WINDOW 0 16384";
    let late = "\n> WINDOW # 4096".repeat(4);
    rounds(server(), streams(2_000), &format!("{round}{late}"));
}

/// One byte of window at a time makes a server write as many frames, and look at all its streams:
/// that buys no budget.
#[test]
fn windows_of_a_byte_are_not_paid_for() {
    let open = "> HEADERS 1 request
         ! Accept 1
         = head 1
         < HEADERS 1 200
         > SETTINGS WINDOW=0
         < SETTINGS ack
         = data 1 60000
         ! Blocked 1 true";
    let step = "> WINDOW 1 1
         ! Blocked 1 false
         < DATA 1 1
         ! Blocked 1 true";
    let script = rounds(server().run(open), 0..2_000, step);
    script.run(
        "> WINDOW 1 1
         < GOAWAY 1 ENHANCE_YOUR_CALM too_many_window_updates
         ! Blocked 1 false",
    );
}

#[test]
fn a_thousand_useless_frames_are_plenty() {
    for useless in [
        "> PRIORITY 1 3",
        "> UNKNOWN",
        "> PING ack k9",
        "> SETTINGS ack",
        "> RST 1 CANCEL",
        "> HEADERS 1 x=1 end",
        "> DATA 1 0",
    ] {
        let over = "> HEADERS 1 request
             ! Accept 1
             = reset 1 CANCEL
             < RST 1 CANCEL
             ! Closed 1";
        let script = rounds(server().run(over), 0..1_000, useless);
        script.run(&format!(
            "{useless}\n< GOAWAY 1 ENHANCE_YOUR_CALM too_many_useless_frames"
        ));
    }
}

/// The answers of calls that were cancelled while they were under way.
#[test]
fn cancels_that_cross_their_answers_are_lawful() {
    let data = "\n> DATA # 10".repeat(20);
    let round = format!(
        "= start end
         < HEADERS # request
         < DATA # 0 end
         = reset # CANCEL
         < RST # CANCEL
         ! Closed #
         > HEADERS # response{data}
         > WINDOW # 100
         > HEADERS # trailers end"
    );
    let mut config = config(Role::Client);
    config.connection_window = u32::MAX;
    rounds(Script::agreed(config), streams(2_000), &round);
}

#[test]
fn ten_goodbyes_are_plenty() {
    for script in [server(), client()] {
        let goodbye = "> GOAWAY 0 NO_ERROR bye\n! GoneAway 0 NO_ERROR";
        let script = rounds(script, 0..10, goodbye);
        script.run("> GOAWAY 0 NO_ERROR bye\n< GOAWAY 0 ENHANCE_YOUR_CALM too_many_goaways");
    }
}

#[test]
fn interim_responses_are_bounded_per_call_and_per_connection() {
    let start = "= start end\n< HEADERS # request\n< DATA # 0 end\n";
    let interim = "> HEADERS # :status=103\n";
    let end = "= reset # CANCEL\n< RST # CANCEL\n! Closed #";
    let many = format!(
        "{start}{interim}> HEADERS # :status=103\n< RST # CANCEL\n! Touched # Fault CANCEL\n! Closed #"
    );
    let one_more = many.replacen(interim, &interim.repeat(100), 1);
    rounds(client(), streams(5), &one_more)
        .run("= start end\n< HEADERS 11 request\n< DATA 11 0 end");
    let hundred = format!("{start}{}{end}", interim.repeat(100));
    let script = rounds(client(), streams(10), &hundred);
    let script = rounds(script, std::iter::once(21), start);
    script.run("> HEADERS 21 :status=103\n< GOAWAY 0 ENHANCE_YOUR_CALM too_many_informational");
    rounds(
        client(),
        streams(200),
        &format!("{start}{interim}{end}\n+ 1s"),
    );
}

#[test]
fn without_limits_nothing_is_too_much() {
    let mut config = config(Role::Server);
    config.limits = Limits::unlimited();
    let script = rounds(
        Script::agreed(config),
        0..3_000,
        "> UNKNOWN\n> WINDOW 0 1\n> PRIORITY 1 3",
    );
    script.run("> PING 1\n< PING ack 1");
}

#[test]
fn a_header_block_has_ten_seconds() {
    let mut script = server().run("+ 1s");
    script.core.block_unfinished(true, script.now);
    script = script.run("+ 9s");
    script.core.block_unfinished(true, script.now);
    script.run("+ 1s\n< GOAWAY 0 ENHANCE_YOUR_CALM header_block_too_large");
    let mut script = server().run("+ 1s");
    script.core.block_unfinished(true, script.now);
    script.core.block_unfinished(false, script.now);
    script.run("+ 100s");
}

fn stalling() -> Config {
    Config {
        stream_stall: Some(Duration::from_secs(300)),
        ..config(Role::Server)
    }
}

const STALLED: &str = "> HEADERS 1 request
     ! Accept 1
     = head 1
     < HEADERS 1 200
     > SETTINGS WINDOW=0
     < SETTINGS ack
     = data 1 100
     ! Blocked 1 true";

#[test]
fn a_stream_without_window_is_cut_after_five_minutes() {
    let script = Script::agreed(stalling()).run(STALLED);
    let script = script.run(
        "+ 299s
         + 39s
         < RST 1 CANCEL
         ! Touched 1 Fault CANCEL stream_stalled
         ! Closed 1
         + 1000s",
    );
    assert_eq!((script.core.held(), script.core.next_tick()), (0, None));
}

#[test]
fn a_stream_that_gets_a_byte_now_and_then_is_not_cut() {
    let script = Script::agreed(stalling()).run(STALLED);
    let step = "+ 290s\n> WINDOW 1 1\n! Blocked 1 false\n< DATA 1 1\n! Blocked 1 true";
    rounds(script, 0..20, step);
    let mut forever = stalling();
    forever.stream_stall = None;
    Script::agreed(forever).run(STALLED).run("+ 100000s");
}

#[test]
fn a_stream_waits_for_a_minute_where_memory_is_short() {
    let mut script = Script::agreed(stalling()).run(STALLED);
    script
        .core
        .set_pressure(Pressure::High, u64::MAX, script.now);
    script.run("+ 68s\n< RST 1 CANCEL\n! Touched 1 Fault CANCEL stream_stalled\n! Closed 1");
}

#[test]
fn all_that_is_held_is_counted_and_the_largest_is_let_go() {
    let script = server().run(
        "> HEADERS 1 request
         ! Accept 1
         > HEADERS 3 request
         ! Accept 3
         > HEADERS 5 request end
         ! Accept 5
         > DATA 1 16384
         ! Touched 1 data=16384
         > DATA 1 16384
         ! Touched 1 data=16384
         > DATA 3 100 pad=50
         ! Touched 3 data=100
         > SETTINGS WINDOW=0
         < SETTINGS ack
         = head 5
         < HEADERS 5 200
         = data 5 20000
         ! Blocked 5 true",
    );
    assert_eq!(script.core.held(), 32_768 + 100 + 20_000);
    let script = script.run("= credit 1 16384\n< WINDOW 1 16384");
    assert_eq!(script.core.held(), 16_384 + 100 + 20_000);
    let mut script =
        script.run("> WINDOW 5 500\n! Blocked 5 false\n< DATA 5 500\n! Blocked 5 true");
    assert_eq!(script.core.held(), 16_384 + 100 + 19_500);
    assert!(script.core.shed(script.now));
    script.settle();
    let mut script = script.run(
        "< RST 5 ENHANCE_YOUR_CALM
         ! Touched 5 Fault ENHANCE_YOUR_CALM
         ! Closed 5",
    );
    assert!(script.core.shed(script.now));
    script.settle();
    let mut script = script.run(
        "< RST 1 ENHANCE_YOUR_CALM
         ! Touched 1 Fault ENHANCE_YOUR_CALM
         ! Closed 1
         > DATA 1 16384
         > DATA 3 0 end
         ! Touched 3 Clean",
    );
    assert_eq!(
        script.core.held(),
        0,
        "small and whole: on its way to its reader"
    );
    assert!(!script.core.shed(script.now));
}

/// What is dropped is held by nobody: it must not cost others their streams.
#[test]
fn what_nobody_will_read_is_not_held() {
    let script = server().run(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 16384
         ! Touched 1 data=16384
         = ignore 1",
    );
    assert_eq!(script.core.held(), 0);
    let script = script.run(
        "> DATA 1 16384
         > DATA 1 100 pad=50
         > DATA 1 0 end
         ! Touched 1 Clean",
    );
    assert_eq!(script.core.held(), 0);
}
