//! What the side under test writes: frames that keep the rules, whatever it was sent.

use std::collections::{BTreeMap, BTreeSet};

use super::frame::{DATA, END_STREAM, HEADERS, PREFACE, SETTINGS};

/// What may be in a frame unless the peer allows more (RFC 9113 §6.5.2), as some scripts do.
const MAX_FRAME_BYTES: usize = (1 << 24) - 1;

/// Takes in what was written and asserts that it is HTTP/2.
#[derive(Debug, Default)]
pub(crate) struct Output {
    rest: Vec<u8>,
    preface_seen: bool,
    settings_seen: bool,
    /// Payloads of DATA by stream.
    pub(crate) data: BTreeMap<u32, Vec<u8>>,
    /// Streams that were ended in order.
    pub(crate) ended: BTreeSet<u32>,
    /// Blocks of HEADERS by stream.
    pub(crate) heads: BTreeMap<u32, usize>,
    /// All bytes.
    pub(crate) total: usize,
}

impl Output {
    /// What a server writes.
    pub(crate) fn of_server() -> Self {
        Self {
            preface_seen: true,
            ..Self::default()
        }
    }

    /// What a client writes: the preface first.
    pub(crate) fn of_client() -> Self {
        Self::default()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len();
        self.rest.extend_from_slice(bytes);
        if !self.preface_seen {
            if self.rest.len() < PREFACE.len() {
                assert!(PREFACE.starts_with(&self.rest), "no preface");
                return;
            }
            assert!(self.rest.starts_with(PREFACE), "no preface");
            self.rest.drain(..PREFACE.len());
            self.preface_seen = true;
        }
        let mut taken = 0;
        while let Some(length) = self.frame(taken) {
            taken += length;
        }
        self.rest.drain(..taken);
    }

    /// Looks at the frame that begins here; its length, if it is whole.
    fn frame(&mut self, at: usize) -> Option<usize> {
        let (head, behind) = self.rest.get(at..)?.split_first_chunk::<9>()?;
        let [a, b, c, kind, flags, s1, s2, s3, s4] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes([s1, s2, s3, s4]);
        assert!(length <= MAX_FRAME_BYTES);
        let payload = behind.get(..length)?;
        if !self.settings_seen {
            assert_eq!(
                (kind, flags, stream),
                (SETTINGS, 0, 0),
                "SETTINGS come first"
            );
            self.settings_seen = true;
        }
        match kind {
            DATA => {
                assert_ne!(stream, 0, "DATA of no stream");
                assert!(!self.ended.contains(&stream), "DATA after the end");
                self.data
                    .entry(stream)
                    .or_default()
                    .extend_from_slice(payload);
            }
            HEADERS => {
                assert_ne!(stream, 0, "HEADERS of no stream");
                assert!(!self.ended.contains(&stream), "HEADERS after the end");
                *self.heads.entry(stream).or_default() += 1;
            }
            // PRIORITY and what has no meaning is never sent.
            3 | 4 | 6..=9 => {}
            other => panic!("a frame of type {other}"),
        }
        if (kind == DATA || kind == HEADERS) && flags & END_STREAM != 0 {
            self.ended.insert(stream);
        }
        Some(9 + length)
    }
}
