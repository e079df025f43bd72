//! Reading a decompressor dry without trusting it with more memory than allowed.

use std::io::Read;

use bytes::BytesMut;

use super::DecompressError;

/// The first step; each one doubles, so that small messages need one small buffer.
const FIRST_STEP: usize = 4 * 1024;

/// The largest step: how much may be inflated beyond what is needed.
const LARGEST_STEP: usize = 64 * 1024;

/// Appends all that `from` gives, up to `limit` bytes in total.
///
/// `out` grows with what was read, never with what a message claims.
pub(super) fn read_all(
    from: &mut impl Read,
    out: &mut BytesMut,
    limit: usize,
) -> Result<(), DecompressError> {
    let mut step = FIRST_STEP;
    loop {
        let filled = out.len();
        // One more than allowed, to see that there is more.
        let room = limit.saturating_add(1).saturating_sub(filled).min(step);
        if out.capacity() - filled < room {
            let double = filled.clamp(room, limit.saturating_add(1).saturating_sub(filled));
            out.reserve(double.max(room));
        }
        out.resize(filled.saturating_add(room), 0);
        let read = match out.get_mut(filled..) {
            Some(space) => read_full(from, space),
            None => Ok(0),
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                out.truncate(filled);
                return Err(error.into());
            }
        };
        out.truncate(filled.saturating_add(read));
        if out.len() > limit {
            return Err(DecompressError::TooLarge);
        }
        if read < room {
            return Ok(());
        }
        step = step.saturating_mul(2).min(LARGEST_STEP);
    }
}

/// Fills `space` as far as `from` reaches.
fn read_full(from: &mut impl Read, space: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = space.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
