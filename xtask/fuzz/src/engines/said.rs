//! A frame that a peer has said.

use std::fmt;

use crate::wire;

/// The head of a frame.
pub(super) const HEAD: usize = 9;

/// The kind of a PRIORITY frame.
pub(crate) const PRIORITY_FRAME: u8 = 2;

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

/// The frame that begins here, and where it ends.
pub(super) fn frame(bytes: &[u8], at: usize) -> (Said, usize) {
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
