//! Every model of the crate, as a test.

macro_rules! models {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                trunkline_loom::$name();
            }
        )*
    };
}

models! {
    a_call_outlives_the_loop_that_stops
    a_call_that_is_dropped_is_opened_and_reset_or_neither
    a_call_wakes_the_idle_loop
    a_cancelled_call_gives_its_stream_back
    a_close_is_heard_by_all
    a_freed_permit_wakes_who_waits
    a_lost_connection_ends_all_who_wait
    a_lowered_limit_loses_no_wake_up
    a_raised_limit_wakes_who_waits
    a_raised_signal_stops_what_runs_until_it
    a_raised_signal_wakes_all
    a_reader_hears_of_its_deadline
    a_reader_hears_of_what_came
    a_reader_that_catches_up_ends_the_rest
    a_restarted_call_is_sent_once_where_it_went
    a_sender_goes_on_when_there_is_room
    a_stream_that_is_taken_back_is_had_once
    a_wish_wakes_the_idle_loop
    an_abort_wakes_the_driver
    calls_that_queue_are_served
    every_message_is_handed_over
    every_post_is_seen
    leases_stay_within_the_limit
    nothing_is_kept_after_the_end
    one_stream_is_queued_once
    permits_come_back_once_the_driver_has_written
    permits_never_exceed_the_limit
    readers_ring_once
    the_alarm_of_a_new_round_is_not_lost
    the_first_calls_start_one_loop
    those_who_wait_for_the_end_learn_of_it
    three_tasks_of_a_stream_are_all_woken
    window_wakes_sender_and_driver
    window_wakes_the_driver_alone
}
