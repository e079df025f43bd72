//! What a peer says, frame by frame: the same for both engines.

use std::time::Duration;

use super::said::{HEAD, Said, frame};
use crate::Source;
use crate::wire;

/// More frames only take time: what they show, fewer show too.
const MAX_STEPS: usize = 300;

/// One frame, or a few that come together, and then silence until everybody has done what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is written at once.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) frames: Vec<Said>,
    /// Nothing is said: our own side does what it does before the step of this number.
    pub(crate) deeds: Option<usize>,
}

impl Step {
    /// What comes before the first frame.
    pub(crate) fn preface(bytes: Vec<u8>) -> Self {
        Self {
            pieces: vec![Piece { bytes, then: None }],
            ..Self::default()
        }
    }

    /// What our own side does before each step comes by itself, so that nobody has to tell what
    /// follows from which.
    pub(crate) fn with_deeds(steps: Vec<Self>) -> Vec<Self> {
        let both = steps.into_iter().enumerate().map(|(at, step)| {
            let deeds = Self {
                deeds: Some(at),
                ..Self::default()
            };
            [deeds, step]
        });
        both.flatten().collect()
    }
}

impl Step {
    /// Each of its frames by itself.
    pub(crate) fn apart(&self) -> Vec<Self> {
        let ([_, _, ..], [piece]) = (self.frames.as_slice(), self.pieces.as_slice()) else {
            return vec![self.clone()];
        };
        let mut rest = piece.bytes.as_slice();
        let last = self.frames.len() - 1;
        let each = self.frames.iter().enumerate().map(|(at, said)| {
            let length = said.length.map_or(rest.len(), |length| HEAD + length);
            let (bytes, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            let bytes = bytes.to_vec();
            let then = piece.then.filter(|_| at == last);
            Self {
                pieces: vec![Piece { bytes, then }],
                frames: vec![said.clone()],
                deeds: None,
            }
        });
        each.collect()
    }
}

/// Some bytes, and how long nothing follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Option<Duration>,
}

/// How the bytes of a program reach the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Each frame by itself.
    Frames,
    /// Each frame in pieces, with time between them.
    Pieces,
    /// Some frames at once.
    Groups,
}

impl Cut {
    pub(crate) const ALL: &[Self] = &[Self::Frames, Self::Frames, Self::Pieces, Self::Groups];
}

/// The script's bytes by frames, cut as the source says.
pub(crate) fn steps(script: &[wire::Step], cut: Cut, source: &mut Source<'_>) -> Vec<Step> {
    let (mut bytes, mut waits) = (Vec::new(), Vec::new());
    for step in script {
        match step {
            wire::Step::Send(more) => bytes.extend_from_slice(more),
            wire::Step::Wait(time) => waits.push((bytes.len(), *time)),
            wire::Step::Finish => break,
        }
    }
    let mut waits = waits.into_iter().peekable();
    let mut steps = Vec::<Step>::new();
    let (mut at, mut room) = (0, 0);
    while at < bytes.len() && steps.len() < MAX_STEPS {
        let (said, end) = frame(&bytes, at);
        let mut pieces = Vec::new();
        let mut from = at;
        while let Some((place, time)) = waits.next_if(|(place, _)| *place < end) {
            let before = bytes.get(from..place).unwrap_or_default();
            pieces.push(piece(before, Some(time)));
            from = place;
        }
        let rest = bytes.get(from..end).unwrap_or_default();
        if cut == Cut::Pieces {
            let (one, other) = rest.split_at(usize::from(source.byte()) % (rest.len() + 1));
            pieces.push(piece(
                one,
                source.flag().then_some(Duration::from_millis(1)),
            ));
            pieces.push(piece(other, None));
        } else {
            pieces.push(piece(rest, None));
        }
        at = end;
        match steps.last_mut() {
            Some(step) if room > 0 && pieces.len() == 1 && step.pieces.len() == 1 => {
                room -= 1;
                step.frames.push(said);
                let last = step.pieces.last_mut().map(|piece| &mut piece.bytes);
                last.into_iter()
                    .for_each(|bytes| bytes.extend_from_slice(rest));
            }
            _ => {
                let frames = vec![said];
                steps.push(Step {
                    pieces,
                    frames,
                    deeds: None,
                });
                if cut == Cut::Groups {
                    room = source.below(5);
                }
            }
        }
    }
    for (_, time) in waits {
        let pieces = vec![piece(&[], Some(time))];
        steps.push(Step {
            pieces,
            ..Step::default()
        });
    }
    steps
}

fn piece(bytes: &[u8], then: Option<Duration>) -> Piece {
    let bytes = bytes.to_vec();
    Piece { bytes, then }
}
