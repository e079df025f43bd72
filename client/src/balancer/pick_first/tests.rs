use super::*;

fn address(name: &str) -> Address {
    Address::Memory(name.into())
}

fn list(names: &[&str]) -> Vec<Address> {
    names.iter().map(|name| address(name)).collect()
}

fn refused(name: &str) -> Change {
    Change::Failed(Status::unavailable(format!("{name}: refused")).with_stage(Stage::Connect))
}

const DELAY: Duration = Duration::from_millis(250);
const A: SubchannelId = SubchannelId(1);
const B: SubchannelId = SubchannelId(2);

/// Runs one event and returns the actions it caused.
fn event(
    policy: &mut PickFirst,
    run: impl FnOnce(&mut PickFirst, &mut Vec<Action>),
) -> Vec<Action> {
    let mut out = Vec::new();
    run(policy, &mut out);
    out
}

fn changed(policy: &mut PickFirst, id: SubchannelId, change: Change) -> Vec<Action> {
    event(policy, |policy, out| policy.changed(id, change, out))
}

fn resolved(policy: &mut PickFirst, names: &[&str]) -> Vec<Action> {
    event(policy, |policy, out| policy.resolved(&list(names), out))
}

fn started(names: &[&str]) -> (PickFirst, Vec<Action>) {
    let mut policy = PickFirst::new("dns:///ab".to_owned(), AttemptDelay::default());
    assert!(event(&mut policy, PickFirst::wanted).is_empty());
    let actions = resolved(&mut policy, names);
    (policy, actions)
}

#[test]
fn tries_addresses_in_order_and_selects_the_first_that_answers() {
    let (mut policy, actions) = started(&["a", "b", "a"]);
    assert_eq!(
        actions,
        [
            Action::Create(A, address("a")),
            Action::Connect(A),
            Action::Timer(DELAY)
        ]
    );
    assert!(matches!(policy.verdict(), Verdict::Connecting));

    let actions = changed(&mut policy, A, refused("a"));
    assert_eq!(
        actions,
        [Action::Create(B, address("b")), Action::Connect(B)]
    );
    assert!(
        matches!(policy.verdict(), Verdict::Connecting),
        "one address is left"
    );

    assert!(changed(&mut policy, B, Change::Ready).is_empty());
    assert!(matches!(policy.verdict(), Verdict::Ready(B)));
}

#[test]
fn stays_idle_until_a_call_wants_it() {
    let mut policy = PickFirst::new("x".to_owned(), AttemptDelay::default());
    assert!(resolved(&mut policy, &["a"]).is_empty());
    assert!(matches!(policy.verdict(), Verdict::Idle));
    let actions = event(&mut policy, PickFirst::wanted);
    assert_eq!(
        actions,
        [Action::Create(A, address("a")), Action::Connect(A)]
    );
    assert!(
        event(&mut policy, PickFirst::wanted).is_empty(),
        "asked once"
    );
}

#[test]
fn fails_with_every_address_and_its_own_cause_and_stays_failing() {
    let (mut policy, _) = started(&["a", "b"]);
    changed(&mut policy, A, refused("a"));
    assert_eq!(changed(&mut policy, B, refused("b")), [Action::Resolve]);
    let Verdict::Failed(why) = policy.verdict() else {
        panic!("{:?}", policy.verdict());
    };
    assert_eq!(
        why.message(),
        "none of the 2 addresses of dns:///ab could be reached: connect: a: refused; connect: b: refused"
    );
    assert_eq!(why.code(), Code::Unavailable);
    assert_eq!(why.stage(), Some(Stage::Connect));

    // Backoff of one ends: it connects again while calls go on failing.
    assert_eq!(changed(&mut policy, A, Change::Idle), [Action::Connect(A)]);
    assert!(matches!(policy.verdict(), Verdict::Failed(_)));
    assert_eq!(changed(&mut policy, A, refused("a")), [Action::Resolve]);
    changed(&mut policy, A, Change::Idle);
    changed(&mut policy, B, Change::Idle);
    assert_eq!(
        changed(&mut policy, B, Change::Ready),
        [Action::Drop(A)],
        "it was connecting"
    );
    assert!(matches!(policy.verdict(), Verdict::Ready(B)));
}

#[test]
fn one_that_left_unproven_leaves_the_backoff_of_the_others_alone() {
    let (mut policy, _) = started(&["a", "b"]);
    changed(&mut policy, A, refused("a"));
    changed(&mut policy, B, Change::Ready);
    assert_eq!(
        changed(&mut policy, B, Change::Left),
        [Action::Resolve],
        "nothing is dropped"
    );
    assert!(matches!(policy.verdict(), Verdict::Idle));
    let mut out = Vec::new();
    policy.wanted(&mut out);
    assert_eq!(out, [Action::Connect(B)], "the other one is backing off");
}

#[test]
fn loss_right_after_ready_goes_on_with_the_pass_and_fails_once_all_back_off() {
    let (mut policy, _) = started(&["a", "b"]);
    changed(&mut policy, A, refused("a"));
    changed(&mut policy, B, Change::Ready);
    let actions = changed(&mut policy, B, refused("b"));
    assert_eq!(actions, [Action::Resolve], "both back off");
    let Verdict::Failed(why) = policy.verdict() else {
        panic!("{:?}", policy.verdict());
    };
    assert!(
        why.message()
            .ends_with("connect: a: refused; connect: b: refused"),
        "{why}"
    );

    // The next that is ready, and lost at once: the other one's backoff is still known.
    assert_eq!(changed(&mut policy, A, Change::Idle), [Action::Connect(A)]);
    assert!(changed(&mut policy, A, Change::Ready).is_empty());
    assert!(
        changed(&mut policy, B, Change::Idle).is_empty(),
        "nobody needs it"
    );
    assert_eq!(
        changed(&mut policy, A, refused("a")),
        [Action::Connect(B)],
        "its backoff is over"
    );
    assert!(matches!(policy.verdict(), Verdict::Connecting));
    changed(&mut policy, B, Change::Ready);
    assert_eq!(changed(&mut policy, B, refused("b")), [Action::Resolve]);
    assert!(matches!(policy.verdict(), Verdict::Failed(_)));
}

#[test]
fn one_address_fails_with_its_own_status() {
    let (mut policy, _) = started(&["a"]);
    changed(&mut policy, A, refused("a"));
    let Verdict::Failed(why) = policy.verdict() else {
        panic!("{:?}", policy.verdict());
    };
    assert_eq!(why.message(), "a: refused");
}

#[test]
fn an_address_whose_backoff_ended_during_the_pass_is_tried_when_the_pass_fails() {
    let (mut policy, _) = started(&["a", "b"]);
    changed(&mut policy, A, refused("a"));
    assert!(
        changed(&mut policy, A, Change::Idle).is_empty(),
        "the pass is at b"
    );
    assert_eq!(
        changed(&mut policy, B, refused("b")),
        [Action::Resolve, Action::Connect(A)]
    );
}

#[test]
fn loss_goes_idle_and_the_next_call_starts_from_the_first_address() {
    let (mut policy, _) = started(&["a", "b"]);
    changed(&mut policy, A, refused("a"));
    changed(&mut policy, B, Change::Ready);
    assert_eq!(
        changed(&mut policy, B, Change::Idle),
        [Action::Drop(A), Action::Resolve]
    );
    assert!(matches!(policy.verdict(), Verdict::Idle));
    let again = SubchannelId(3);
    assert_eq!(
        event(&mut policy, PickFirst::wanted),
        [
            Action::Create(again, address("a")),
            Action::Connect(again),
            Action::Timer(DELAY)
        ]
    );
}

#[test]
fn new_addresses_keep_the_selected_one_or_go_idle_without_it() {
    let (mut policy, _) = started(&["a"]);
    changed(&mut policy, A, Change::Ready);
    assert!(resolved(&mut policy, &["b", "a"]).is_empty());
    assert!(matches!(policy.verdict(), Verdict::Ready(A)));
    assert_eq!(resolved(&mut policy, &["b"]), [Action::Drop(A)]);
    assert!(matches!(policy.verdict(), Verdict::Idle));
}

#[test]
fn new_addresses_after_a_failed_pass_are_tried_at_once() {
    let (mut policy, _) = started(&["a"]);
    changed(&mut policy, A, refused("a"));
    assert_eq!(
        resolved(&mut policy, &["a", "b"]),
        [Action::Create(B, address("b")), Action::Connect(B)]
    );
    assert!(
        matches!(policy.verdict(), Verdict::Failed(_)),
        "until one is ready"
    );
}

#[test]
fn when_every_failed_address_is_replaced_calls_wait_for_the_new_ones() {
    let (mut policy, _) = started(&["a"]);
    changed(&mut policy, A, refused("a"));
    let actions = resolved(&mut policy, &["b", "c"]);
    let create = Action::Create(B, address("b"));
    let timer = Action::Timer(DELAY);
    assert_eq!(
        actions,
        [Action::Drop(A), create, Action::Connect(B), timer]
    );
    assert!(matches!(policy.verdict(), Verdict::Connecting));
}

#[test]
fn a_resolver_failure_fails_calls_only_while_no_address_is_known() {
    let mut policy = PickFirst::new("x".to_owned(), AttemptDelay::default());
    event(&mut policy, PickFirst::wanted);
    assert!(matches!(policy.verdict(), Verdict::Resolving));
    policy.resolution_failed(Status::unavailable("no such host"));
    assert!(matches!(policy.verdict(), Verdict::Failed(why) if why.message() == "no such host"));
    resolved(&mut policy, &["a"]);
    changed(&mut policy, A, Change::Ready);
    policy.resolution_failed(Status::unavailable("no such host"));
    assert!(matches!(policy.verdict(), Verdict::Ready(A)));
}

fn timer(policy: &mut PickFirst) -> Vec<Action> {
    event(policy, PickFirst::timer)
}

const C: SubchannelId = SubchannelId(3);

#[test]
fn a_slow_address_gets_company_after_the_delay_and_the_first_ready_one_wins() {
    let (mut policy, _) = started(&["a", "b", "c"]);
    assert_eq!(
        timer(&mut policy),
        [
            Action::Create(B, address("b")),
            Action::Connect(B),
            Action::Timer(DELAY)
        ]
    );
    assert_eq!(
        timer(&mut policy),
        [Action::Create(C, address("c")), Action::Connect(C)],
        "no timer after the last"
    );
    assert!(matches!(policy.verdict(), Verdict::Connecting));
    assert_eq!(
        changed(&mut policy, B, Change::Ready),
        [Action::Drop(A), Action::Drop(C)]
    );
    assert!(matches!(policy.verdict(), Verdict::Ready(B)));
    assert!(timer(&mut policy).is_empty(), "a late timer does nothing");
}

#[test]
fn a_failure_of_the_latest_starts_the_next_at_once_and_of_an_older_one_waits() {
    let (mut policy, _) = started(&["a", "b", "c"]);
    timer(&mut policy);
    assert!(
        changed(&mut policy, A, refused("a")).is_empty(),
        "b has not had its time"
    );
    assert_eq!(
        changed(&mut policy, B, refused("b")),
        [Action::Create(C, address("c")), Action::Connect(C)]
    );
    assert_eq!(changed(&mut policy, C, refused("c")), [Action::Resolve]);
    let Verdict::Failed(why) = policy.verdict() else {
        panic!("{:?}", policy.verdict());
    };
    for each in ["a: refused", "b: refused", "c: refused"] {
        assert!(why.message().contains(each), "{why}");
    }
}

#[test]
fn the_pass_fails_only_when_the_slow_ones_have_failed_too() {
    let (mut policy, _) = started(&["a", "b"]);
    timer(&mut policy);
    assert!(changed(&mut policy, B, refused("b")).is_empty());
    assert!(matches!(policy.verdict(), Verdict::Connecting));
    assert_eq!(changed(&mut policy, A, refused("a")), [Action::Resolve]);
    assert!(matches!(policy.verdict(), Verdict::Failed(_)));
}

#[test]
fn new_addresses_during_a_pass_wait_for_their_turn() {
    let (mut policy, actions) = started(&["a"]);
    assert!(!actions.contains(&Action::Timer(DELAY)), "it is the last");
    assert_eq!(resolved(&mut policy, &["b", "a"]), [Action::Timer(DELAY)]);
    assert!(
        resolved(&mut policy, &["b", "a", "c"]).is_empty(),
        "it runs"
    );
    assert_eq!(
        timer(&mut policy),
        [
            Action::Create(B, address("b")),
            Action::Connect(B),
            Action::Timer(DELAY)
        ]
    );
    // The one that is being tried disappears: the next is tried at once.
    assert_eq!(
        resolved(&mut policy, &["a", "c"]),
        [
            Action::Drop(B),
            Action::Create(C, address("c")),
            Action::Connect(C)
        ]
    );
}

#[test]
fn families_take_turns() {
    let mut policy = PickFirst::new("x".to_owned(), AttemptDelay::default());
    let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
    let list = [tcp("[::1]:1"), tcp("[::2]:1"), tcp("10.0.0.1:1")];
    event(&mut policy, PickFirst::wanted);
    event(&mut policy, |policy, out| policy.resolved(&list, out));
    assert_eq!(policy.addresses(), "[::1]:1, 10.0.0.1:1, [::2]:1");
}
