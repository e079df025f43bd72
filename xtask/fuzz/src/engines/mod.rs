//! Both HTTP/2 engines are told the same and show the same, or differ for a reason that has a name.

mod blocks;
mod client;
mod company;
mod difference;
mod malformed;
mod program;
mod rules;
mod said;
pub(crate) mod seen;
mod server;
mod talk;

use std::cell::RefCell;
use std::collections::BTreeSet;

use trunkline::transport::http2::Engine;

use self::client::{Deed, What};
use self::company::Split;
use self::difference::{Difference, Then};
use self::program::{Cut, Step, steps};
use self::seen::Event;
use crate::Source;
use crate::wire::{self, PREFACE, SETTINGS, Side, WINDOW_UPDATE, frame, on_paused_time, script};

/// Acknowledges what the engine has set.
const ACK: u8 = 1;

/// The names of the rules, each once.
pub fn lawful_differences() -> impl Iterator<Item = &'static str> {
    let rules = rules::rules().map(|rule| rule.name);
    rules.chain([company::NAME])
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

/// What both have shown.
struct Shown {
    h2: Vec<Vec<Event>>,
    native: Vec<Vec<Event>>,
}

/// A difference that no rule explains.
struct Unexplained {
    /// The step after which it shows.
    at: usize,
    /// What had gone apart before it.
    forgotten: BTreeSet<u32>,
    why: String,
}

/// Rules look at frames that come singly. Where they came together, it is asked what each by itself
/// leads to, and `company` says what may be different then.
fn compare(
    said_by: Side,
    steps: &[Step],
    observe: impl Fn(Engine, &[Step]) -> Vec<Vec<Event>>,
) -> Result<Vec<&'static str>, String> {
    let show = |steps: &[Step]| Shown {
        h2: observe(Engine::H2, steps),
        native: observe(Engine::Native, steps),
    };
    let mut steps = steps.to_vec();
    let mut shown = show(&steps);
    let mut companies = Vec::new();
    loop {
        let found = differences(said_by, &steps, &shown);
        if std::env::var_os("TRUNKLINE_FUZZ_SHOW").is_some() {
            tell(&steps, &shown, found.as_ref());
        }
        let found = match found {
            Ok(mut names) => {
                names.extend(companies);
                return Ok(names);
            }
            Err(found) => found,
        };
        let Some(split) = Split::of(&steps, found.at) else {
            return Err(found.why);
        };
        let alone = show(&split.steps);
        company::explain(
            &split,
            &steps,
            &shown,
            &alone,
            &found,
            said_by == Side::Client,
        )?;
        companies.push(company::NAME);
        (steps, shown) = (split.steps, alone);
    }
}

fn tell(steps: &[Step], shown: &Shown, found: Result<&Vec<&str>, &Unexplained>) {
    for (at, (h2, native)) in shown.h2.iter().zip(&shown.native).enumerate() {
        let frames = steps.get(at).map(|step| &step.frames);
        eprintln!("{at} {frames:?}\n  h2     {h2:?}\n  native {native:?}");
    }
    match found {
        Ok(names) => eprintln!("{names:?}\n"),
        Err(found) => eprintln!("{}\n", found.why),
    }
}

/// The names of the rules that explain all differences.
fn differences(
    said_by: Side,
    steps: &[Step],
    shown: &Shown,
) -> Result<Vec<&'static str>, Unexplained> {
    let mut is_partial = false;
    let mut names = Vec::new();
    let mut forgotten = BTreeSet::new();
    for (at, pair) in shown.h2.iter().zip(&shown.native).enumerate() {
        loop {
            let of_h2 = rules::compared(pair.0, steps, &forgotten);
            let of_native = rules::compared(pair.1, steps, &forgotten);
            if of_h2 == of_native {
                break;
            }
            let difference = Difference {
                is_server: said_by == Side::Client,
                step: steps.get(at),
                before: steps.get(..at).unwrap_or_default(),
                h2_all: shown.h2.get(..=at).unwrap_or_default(),
                native_all: shown.native.get(..=at).unwrap_or_default(),
                is_partial,
                h2: pair.0,
                native: pair.1,
                of_h2: &of_h2,
                of_native: &of_native,
            };
            let rule = difference.rule();
            let unexplained = |forgotten| Unexplained {
                at,
                forgotten,
                why: format!(
                    "[{}] after {:?}\n  h2     {of_h2:?}\n  native {of_native:?}",
                    difference.kind(),
                    steps.get(at).map(|step| &step.frames),
                ),
            };
            match rule {
                None => return Err(unexplained(forgotten)),
                Some((name, Then::Stop)) => {
                    names.push(name);
                    return Ok(names);
                }
                Some((name, Then::Forget(stream))) => {
                    is_partial |= name != rules::SHARES;
                    names.push(name);
                    if forgotten.contains(&stream) {
                        return Err(unexplained(forgotten));
                    }
                    forgotten.insert(stream);
                }
            }
        }
    }
    let last = |all: &[Vec<Event>]| -> Vec<Event> {
        let lost = |event: &&Event| matches!(event, Event::Lost(_));
        all.iter().flatten().filter(lost).cloned().collect()
    };
    let (h2, native) = (last(&shown.h2), last(&shown.native));
    if h2 != native && !rules::may_end_in_order(steps) {
        return Err(Unexplained {
            at: steps.len(),
            forgotten,
            why: format!("[last] the last word is {h2:?}, and {native:?}"),
        });
    }
    Ok(names)
}
