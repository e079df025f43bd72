//! A step in which the engines differ, as the rules look at it.

mod history;

use super::program::Step;
use super::rules::rules;
use super::said::Said;
use super::seen::Event;

/// What is to be done about a difference that a rule knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// One of them has ended the connection, or they have gone apart: nothing later is compared.
    Stop,
    /// This stream is not compared any more.
    Forget(u32),
}

pub(super) struct Difference<'a> {
    /// What is compared are servers, not clients.
    pub(super) is_server: bool,
    pub(super) step: Option<&'a Step>,
    pub(super) before: &'a [Step],
    /// All that each has shown up to this step and in it.
    pub(super) h2_all: &'a [Vec<Event>],
    pub(super) native_all: &'a [Vec<Event>],
    /// Streams were left out because they had gone apart.
    pub(super) is_partial: bool,
    /// What each has shown in this step.
    pub(super) h2: &'a [Event],
    pub(super) native: &'a [Event],
    /// What of that is compared.
    pub(super) of_h2: &'a [Event],
    pub(super) of_native: &'a [Event],
}

impl Difference<'_> {
    /// The rule that allows it. Of frames that came together there is none: see `company`.
    pub(super) fn rule(&self) -> Option<(&'static str, Then)> {
        let frame = match self.said() {
            [] => None,
            [frame] => Some(frame),
            _ => return None,
        };
        rules().find_map(|rule| {
            let then = (rule.applies)(self, frame)?;
            self.explains(then).then_some((rule.name, then))
        })
    }

    /// What is forgotten is part of the difference.
    fn explains(&self, then: Then) -> bool {
        match then {
            Then::Stop => true,
            Then::Forget(stream) => self.apart().any(|event| event.stream() == Some(stream)),
        }
    }

    /// What kind of difference it is, in short.
    pub(super) fn kind(&self) -> String {
        let kinds = |events: &[Event], other: &[Event]| -> String {
            let own = events.iter().filter(|event| !other.contains(event));
            own.map(kind).collect::<Vec<_>>().join(" ")
        };
        let said: Vec<_> = self.said().iter().map(|said| said.kind).collect();
        let (h2, native) = (
            kinds(self.of_h2, self.of_native),
            kinds(self.of_native, self.of_h2),
        );
        format!("{said:?} {h2} | {native}").replace(['[', ']'], "")
    }

    /// What was said in this step.
    fn said(&self) -> &[Said] {
        self.step
            .map(|step| step.frames.as_slice())
            .unwrap_or_default()
    }

    /// What only h2 has shown.
    pub(super) fn only_h2(&self) -> impl Iterator<Item = &Event> {
        let native = self.of_native;
        self.of_h2.iter().filter(|event| !native.contains(event))
    }

    /// What only ours has shown.
    pub(super) fn only_native(&self) -> impl Iterator<Item = &Event> {
        let h2 = self.of_h2;
        self.of_native.iter().filter(|event| !h2.contains(event))
    }

    /// Both end the connection, with these codes, and show the same but for that.
    pub(super) fn codes(&self, h2: u32, native: u32) -> bool {
        let both = go_away(self.h2) == Some(h2) && go_away(self.native) == Some(native);
        let is_code = |event: &Event| matches!(event, Event::GoAway(_));
        both && self.apart().all(is_code)
    }

    /// h2 alone ends the connection, with this code; ours goes on, and has to show something that h2
    /// does not for this stream alone.
    pub(super) fn h2_ends(&self, code: u32, stream: Option<u32>) -> bool {
        let ends = go_away(self.h2) == Some(code) && go_away(self.native).is_none();
        ends && self.only_native().all(|event| is_of(event, stream))
    }

    /// The same the other way round.
    pub(super) fn native_ends(&self, code: u32, stream: Option<u32>) -> bool {
        let ends = go_away(self.native) == Some(code) && go_away(self.h2).is_none();
        ends && self.only_h2().all(|event| is_of(event, stream))
    }

    /// Neither ends the connection for an error, and they are at one but for this stream.
    pub(super) fn is_about(&self, stream: u32) -> bool {
        let goes_on = go_away(self.h2).is_none() && go_away(self.native).is_none();
        goes_on && self.apart().all(|event| is_of(event, Some(stream)))
    }

    /// What only one of them has shown.
    pub(super) fn apart(&self) -> impl Iterator<Item = &Event> {
        let (h2, native) = (self.of_h2, self.of_native);
        let of_h2 = h2.iter().filter(|event| !native.contains(event));
        of_h2.chain(native.iter().filter(|event| !h2.contains(event)))
    }

    /// Ours has shown nothing that h2 has not shown too.
    pub(super) fn is_only_of_h2(&self) -> bool {
        let mut native = self.of_native.iter();
        native.all(|event| self.of_h2.contains(event))
    }

    /// Nothing can be compared any more, of this stream or at all.
    pub(super) fn end_of(&self, stream: u32) -> Then {
        match go_away(self.h2).or_else(|| go_away(self.native)) {
            Some(_) => Then::Stop,
            None => Then::Forget(stream),
        }
    }
}

/// The code of the GOAWAY among these, if it is that of an error.
pub(super) fn go_away(events: &[Event]) -> Option<u32> {
    events.iter().find_map(|event| match event {
        Event::GoAway(code @ 1..) => Some(*code),
        _ => None,
    })
}

/// The code of this stream's RST_STREAM among these.
pub(super) fn reset<'a>(events: impl IntoIterator<Item = &'a Event>, of: u32) -> Option<u32> {
    events.into_iter().find_map(|event| match event {
        Event::Reset(stream, code) if *stream == of => Some(*code),
        _ => None,
    })
}

/// Of this stream's, or of the end in order that comes with the last stream.
fn is_of(event: &Event, stream: Option<u32>) -> bool {
    match event {
        Event::GoAway(0) | Event::Closed => true,
        event => stream.is_some() && event.stream() == stream,
    }
}

/// In short.
pub(super) fn kind(event: &Event) -> String {
    match event {
        Event::Opened(..) => "opened".to_owned(),
        Event::Answered(..) => "answered".to_owned(),
        Event::Received(..) => "received".to_owned(),
        Event::Ended(_, how) => format!("ended {how}"),
        Event::Gone(_, how) => format!("gone {how}"),
        Event::Head(..) => "head".to_owned(),
        Event::Payload(..) => "payload".to_owned(),
        Event::Reset(_, code) => format!("reset {code}"),
        Event::Widened(..) => "widened".to_owned(),
        Event::GoAway(code) => format!("goaway {code}"),
        Event::Closed => "closed".to_owned(),
        Event::Asserted => "asserted".to_owned(),
        Event::Lost(_) | Event::EndStream(_) | Event::Pong(_) | Event::SettingsAck => String::new(),
    }
}
