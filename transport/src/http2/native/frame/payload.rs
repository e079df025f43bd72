//! What is in a frame, once its head was judged and all of it is there.

use std::ops::Range;

use super::head::{self, Head};
use super::{Fatal, Frame, Reason, StreamId};

/// Exclusive bit, stream and weight.
pub(super) const PRIORITY_FIELDS: usize = 5;

/// The stream that these priority fields depend on.
pub(super) fn priority(fields: &[u8]) -> Option<StreamId> {
    let [a, b, c, d, _weight] = *fields.first_chunk::<PRIORITY_FIELDS>()?;
    Some(head::stream([a, b, c, d]))
}

/// Where the payload is without its padding, and how much padding follows it.
pub(super) fn unpad(head: Head, payload: &[u8]) -> Result<(Range<usize>, usize), Fatal> {
    if !head.has(head::PADDED) {
        return Ok((0..payload.len(), 0));
    }
    let (padding, rest) = payload.split_first().ok_or_else(too_short)?;
    let padding = usize::from(*padding);
    let own = rest.len().checked_sub(padding);
    let own = own.ok_or(Fatal::protocol("more padding than payload"))?;
    Ok((1..1 + own, padding))
}

/// HEADERS without room for the priority that they say they have: too short for it (RFC 9113 §4.2), or padded by
/// more than what is left (§6.2).
pub(super) fn no_room(head: Head, payload: &[u8]) -> Fatal {
    let padding = usize::from(head.has(head::PADDED));
    if payload.len() < padding + PRIORITY_FIELDS {
        too_short()
    } else {
        Fatal::protocol("more padding than payload")
    }
}

/// A frame of another kind than DATA, HEADERS and CONTINUATION. Lengths were checked with its head.
pub(super) fn other(head: Head, payload: &[u8]) -> Frame<'_> {
    let stream = head.stream;
    let word = payload.first_chunk().copied();
    match head.kind {
        head::PRIORITY => match priority(payload) {
            Some(depends_on) if payload.len() == PRIORITY_FIELDS => {
                Frame::Priority { stream, depends_on }
            }
            _ => Frame::BadPriority { stream },
        },
        head::RST_STREAM => Frame::Reset {
            stream,
            reason: Reason(word.map_or(0, u32::from_be_bytes)),
        },
        head::SETTINGS if head.has(head::ACK) => Frame::SettingsAck,
        head::SETTINGS => Frame::Settings(payload),
        head::PING => Frame::Ping {
            ack: head.has(head::ACK),
            data: payload.first_chunk().copied().unwrap_or_default(),
        },
        head::GOAWAY => {
            let rest = payload.get(4..).unwrap_or_default();
            Frame::GoAway {
                last: word.map(head::stream).unwrap_or_default(),
                reason: Reason(rest.first_chunk().copied().map_or(0, u32::from_be_bytes)),
                text: rest.get(4..).unwrap_or_default(),
            }
        }
        head::WINDOW_UPDATE => Frame::WindowUpdate {
            stream,
            by: word.map(head::stream).unwrap_or_default().0,
        },
        _ => Frame::Unknown,
    }
}

pub(super) fn too_short() -> Fatal {
    head::size("a frame too short for its flags")
}
