//! Both HTTP/2 engines are told the same and show the same, or differ for a reason that has a name.

mod blocks;
mod client;
mod difference;
mod program;
mod rules;
pub(crate) mod seen;
mod server;
mod talk;

use std::cell::RefCell;
use std::collections::BTreeSet;

use trunkline::transport::http2::Engine;

use self::client::{Deed, What};
use self::difference::{Difference, Then};
use self::program::{Cut, Step, steps};
use self::seen::Event;
use crate::Source;
use crate::wire::{self, PREFACE, SETTINGS, Side, WINDOW_UPDATE, frame, on_paused_time, script};

/// Acknowledges what the engine has set.
const ACK: u8 = 1;

/// The names of the rules, each once.
pub fn lawful_differences() -> impl Iterator<Item = &'static str> {
    rules::rules().map(|rule| rule.name)
}

/// Both engines as a server that is sent this: the names of the rules that explain in what they
/// differ.
///
/// Input: a byte for what the server allows, one for how bytes are cut, one for how the connection
/// begins, then steps.
///
/// # Errors
/// The first difference that no rule explains.
pub fn compare_servers(input: &[u8]) -> Result<Vec<&'static str>, String> {
    let mut source = Source::new(input);
    let allows = server::Allows {
        streams: source.pick(&[100, 100, 3]),
        header_list: 16_384,
    };
    let cut = source.pick(Cut::ALL);
    let begin = source.byte();
    let mut cuts = source.clone();
    let mut steps = conversation(&mut source, begin, Side::Client, cut, &mut cuts);
    if begin > 0 {
        steps.insert(0, Step::preface(PREFACE.to_vec()));
    }
    let observe = |engine, steps: &[Step]| seen(server::observe(engine, allows, steps));
    compare(Side::Client, &steps, observe)
}

/// Both engines as a client that is sent this: the names of the rules that explain in what they
/// differ.
///
/// Input: a byte for how many things are done with calls, up to four for each of these, one for how
/// bytes are cut, one for how the connection begins, then steps.
///
/// # Errors
/// The first difference that no rule explains.
pub fn compare_clients(input: &[u8]) -> Result<Vec<&'static str>, String> {
    let mut source = Source::new(input);
    let count = 1 + source.below(8);
    let deeds: Vec<_> = (0..count).map(|_| deed(&mut source)).collect();
    let cut = source.pick(Cut::ALL);
    let begin = source.byte().max(1);
    let mut cuts = source.clone();
    let steps = conversation(&mut source, begin, Side::Server, cut, &mut cuts);
    let steps = Step::with_deeds(steps);
    let observe = |engine, steps: &[Step]| seen(client::observe(engine, &deeds, steps));
    compare(Side::Server, &steps, observe)
}

pub(crate) fn servers(input: &[u8]) {
    if let Err(difference) = compare_servers(input) {
        panic!("{difference}");
    }
}

pub(crate) fn clients(input: &[u8]) {
    if let Err(difference) = compare_clients(input) {
        panic!("{difference}");
    }
}

fn deed(source: &mut Source<'_>) -> Deed {
    const SIZES: &[usize] = &[0, 10, 1_000, 20_000, 100_000];
    let before = 1 + source.below(12);
    let what = match source.byte() % 8 {
        0..=2 => What::Single(source.pick(SIZES)),
        3..=5 => What::Streaming {
            messages: source.below(4),
            bytes: source.pick(SIZES),
            finish: source.flag(),
        },
        6 => What::Drop(source.below(8)),
        _ if source.byte().is_multiple_of(8) => What::Close,
        _ => What::Single(0),
    };
    Deed { before, what }
}

fn conversation(
    source: &mut Source<'_>,
    begin: u8,
    side: Side,
    cut: Cut,
    cuts: &mut Source<'_>,
) -> Vec<Step> {
    let settings = frame(SETTINGS, 0, 0, &[]);
    let widened = frame(WINDOW_UPDATE, 0, 0, &[0x3f, 0, 0, 0]);
    let begin = match begin {
        0 | 1 => Vec::new(),
        2 => vec![settings],
        3 => vec![settings, frame(SETTINGS, ACK, 0, &[])],
        _ => vec![settings, frame(SETTINGS, ACK, 0, &[]), widened],
    };
    let mut all: Vec<_> = begin.into_iter().map(wire::Step::Send).collect();
    all.extend(script(source, side));
    steps(&all, cut, cuts)
}

/// Each engine has a runtime of its own, whose clock jumps when nobody has anything to do.
fn seen(observing: impl Future<Output = Vec<Vec<Event>>>) -> Vec<Vec<Event>> {
    let seen = RefCell::new(Vec::new());
    on_paused_time(async { *seen.borrow_mut() = observing.await });
    seen.into_inner()
}

/// Where frames that come together make a difference, they must make none, or one with a name, when
/// each comes by itself: what they have in common explains that one is lost, and nothing more.
fn compare(
    said_by: Side,
    steps: &[Step],
    observe: impl Fn(Engine, &[Step]) -> Vec<Vec<Event>>,
) -> Result<Vec<&'static str>, String> {
    let mut names = compare_once(said_by, steps, &observe)?;
    if !names.is_empty() && steps.iter().any(|step| step.frames.len() > 1) {
        let apart: Vec<_> = steps.iter().flat_map(Step::apart).collect();
        let found = compare_once(said_by, &apart, &observe);
        names.extend(found.map_err(|why| format!("{why}\n  each by itself"))?);
    }
    Ok(names)
}

fn compare_once(
    said_by: Side,
    steps: &[Step],
    observe: &impl Fn(Engine, &[Step]) -> Vec<Vec<Event>>,
) -> Result<Vec<&'static str>, String> {
    let (h2, native) = (observe(Engine::H2, steps), observe(Engine::Native, steps));
    let is_shown = std::env::var_os("TRUNKLINE_FUZZ_SHOW").is_some();
    if is_shown {
        for (at, (h2, native)) in h2.iter().zip(&native).enumerate() {
            let frames = steps.get(at).map(|step| &step.frames);
            eprintln!("{at} {frames:?}\n  h2     {h2:?}\n  native {native:?}");
        }
    }
    let names = differences(said_by, steps, &h2, &native);
    if is_shown {
        eprintln!("{names:?}");
    }
    names
}

/// The names of the rules that explain all differences.
fn differences(
    said_by: Side,
    steps: &[Step],
    h2: &[Vec<Event>],
    native: &[Vec<Event>],
) -> Result<Vec<&'static str>, String> {
    let (h2_all, native_all) = (h2, native);
    let mut is_partial = false;
    let mut names = Vec::new();
    let mut forgotten = BTreeSet::new();
    for (at, pair) in h2.iter().zip(native).enumerate() {
        let compared = |events: &[Event], forgotten: &BTreeSet<u32>| -> Vec<Event> {
            let is_compared = |event: &&Event| {
                let stream = event.stream();
                // When the last word is said is nobody's promise.
                !matches!(event, Event::Lost(_))
                    && !rules::is_goodbye(event, steps)
                    && stream.is_none_or(|stream| !forgotten.contains(&stream))
            };
            events.iter().filter(is_compared).cloned().collect()
        };
        loop {
            let (h2, native) = (compared(pair.0, &forgotten), compared(pair.1, &forgotten));
            if h2 == native {
                break;
            }
            let difference = Difference {
                is_server: said_by == Side::Client,
                step: steps.get(at),
                before: steps.get(..at).unwrap_or_default(),
                h2_all: h2_all.get(..=at).unwrap_or_default(),
                native_all: native_all.get(..=at).unwrap_or_default(),
                is_partial,
                h2: pair.0,
                native: pair.1,
                of_h2: &h2,
                of_native: &native,
            };
            match difference.rule() {
                None => {
                    let frames = steps.get(at).map(|step| &step.frames);
                    return Err(format!(
                        "[{}] after {frames:?}\n  h2     {h2:?}\n  native {native:?}",
                        difference.kind(),
                    ));
                }
                Some((name, Then::Stop)) => {
                    names.push(name);
                    return Ok(names);
                }
                Some((name, Then::Forget(stream))) => {
                    is_partial |= name != rules::SHARES;
                    names.push(name);
                    if !forgotten.insert(stream) {
                        return Err(format!("{name} explains nothing: {h2:?} {native:?}"));
                    }
                }
            }
        }
    }
    let last = |all: &[Vec<Event>]| -> Vec<Event> {
        let lost = |event: &&Event| matches!(event, Event::Lost(_));
        all.iter().flatten().filter(lost).cloned().collect()
    };
    let (h2, native) = (last(h2), last(native));
    if h2 != native && !rules::may_end_in_order(steps) {
        return Err(format!("[last] the last word is {h2:?}, and {native:?}"));
    }
    Ok(names)
}
