//! What a peer says, frame by frame: the same for both engines.

use std::fmt;
use std::time::Duration;

use crate::Source;
use crate::wire;

/// The head of a frame.
const HEAD: usize = 9;

/// The kind of a PRIORITY frame.
pub(crate) const PRIORITY_FRAME: u8 = 2;

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

/// A frame as it was said, whatever it means.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
    /// How long it says that it is, if that much of its head is there.
    pub(crate) length: Option<usize>,
    /// False for the last one if the conversation ends before it does.
    pub(crate) whole: bool,
}

impl Said {
    /// The pairs of SETTINGS.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        let pairs = self.payload.chunks_exact(6);
        pairs.filter_map(|pair| match pair {
            &[high, low, a, b, c, d] => {
                let value = u32::from_be_bytes([a, b, c, d]);
                Some((u16::from_be_bytes([high, low]), value))
            }
            _ => None,
        })
    }

    /// It is the last of its stream's.
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, wire::DATA | wire::HEADERS) && self.flags & wire::END_STREAM != 0
    }

    /// It resets its stream.
    pub(crate) fn resets_stream(&self) -> bool {
        self.kind == wire::RST_STREAM
    }

    /// The number that a payload begins with, without its first bit.
    pub(crate) fn number(&self) -> Option<u32> {
        let octets = self.payload.first_chunk().copied();
        octets.map(|octets| u32::from_be_bytes(octets) & 0x7fff_ffff)
    }

    /// Its length is none that its kind may have (RFC 9113 §4.2, §6).
    pub(crate) fn has_wrong_length(&self) -> bool {
        let Some(length) = self.length else {
            return false;
        };
        let padding = usize::from(self.flags & wire::PADDED != 0);
        let priority = if self.flags & wire::PRIORITY != 0 {
            5
        } else {
            0
        };
        length > 16_384
            || match self.kind {
                wire::DATA => length < padding,
                wire::HEADERS => length < padding + priority,
                wire::PUSH_PROMISE => length < padding + 4,
                PRIORITY_FRAME => length != 5,
                wire::RST_STREAM | wire::WINDOW_UPDATE => length != 4,
                wire::SETTINGS if self.flags & 1 != 0 => length > 0,
                wire::SETTINGS => length % 6 != 0,
                wire::PING => length != 8,
                wire::GOAWAY => length < 8,
                _ => false,
            }
    }

    /// It says that it is padded by more than it holds.
    pub(crate) fn has_long_padding(&self) -> bool {
        let is_padded = self.flags & wire::PADDED != 0;
        self.whole && is_padded && !self.has_wrong_length() && self.fragment().is_none()
    }

    /// It is HEADERS whose stream depends on itself.
    pub(crate) fn depends_on_itself(&self) -> bool {
        let padding = usize::from(self.flags & wire::PADDED != 0);
        let octets = self.payload.get(padding..).and_then(<[u8]>::first_chunk);
        let on = octets.map(|octets| u32::from_be_bytes(*octets) & 0x7fff_ffff);
        self.kind == wire::HEADERS && self.flags & wire::PRIORITY != 0 && on == Some(self.stream)
    }

    /// What of HEADERS or CONTINUATION belongs to the block; `None` if it is cut, or too short for what lies around it.
    pub(crate) fn fragment(&self) -> Option<&[u8]> {
        let own = self.unpadded()?;
        match self.kind == wire::HEADERS && self.flags & wire::PRIORITY != 0 {
            true => own.get(5..),
            false => Some(own),
        }
    }

    fn unpadded(&self) -> Option<&[u8]> {
        if !self.whole {
            return None;
        }
        if self.kind == wire::CONTINUATION || self.flags & wire::PADDED == 0 {
            return Some(&self.payload);
        }
        let (padding, behind) = self.payload.split_first()?;
        behind.get(..behind.len().checked_sub(usize::from(*padding))?)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.whole { "" } else { ", cut" };
        let (kind, flags, stream) = (self.kind, self.flags, self.stream);
        let length = self.payload.len();
        let first = self.payload.get(..length.min(60)).unwrap_or_default();
        let first = first.escape_ascii();
        write!(
            f,
            "{kind} {flags:#x} on {stream}, {length} bytes {first}{cut}"
        )
    }
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

/// The frame that begins here, and where it ends.
fn frame(bytes: &[u8], at: usize) -> (Said, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((head, behind)) = rest.split_first_chunk::<HEAD>() else {
        // What some look at before there is any more.
        let length = rest
            .first_chunk()
            .map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]));
        let said = Said {
            kind: 0xff,
            flags: 0,
            stream: 0,
            payload: rest.to_vec(),
            length: length.and_then(|length| usize::try_from(length).ok()),
            whole: false,
        };
        return (said, bytes.len());
    };
    let [a, b, c, kind, flags, s, t, u, v] = *head;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    let payload = behind.get(..length);
    let said = Said {
        kind,
        flags,
        stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        payload: payload.unwrap_or(behind).to_vec(),
        length: Some(length),
        whole: payload.is_some(),
    };
    (said, (at + HEAD + length).min(bytes.len()))
}
