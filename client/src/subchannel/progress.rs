//! How far the attempts of a channel have come, for those who wait for one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use trunkline_core::Stage;

const SECURING: u8 = 1;
const AGREEING: u8 = 2;

/// The stage that an attempt reached last. Clones are the same.
///
/// Where several attempts race, it is that of the one that took the latest step: enough to tell
/// a call whose deadline is over what there was to wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    pub(super) fn reached(&self, stage: Stage) {
        let number = match stage {
            Stage::Tls => SECURING,
            Stage::Http2 => AGREEING,
            _ => 0,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

/// What follows "still connecting to a, b".
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.load(Ordering::Relaxed) {
            SECURING => ", in the TLS handshake",
            AGREEING => ", accepted but without HTTP/2 SETTINGS so far",
            _ => "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_step_is_told() {
        let progress = Progress::default();
        let elsewhere = progress.clone();
        for (stage, text) in [
            (Stage::Connect, ""),
            (Stage::Tls, ", in the TLS handshake"),
            (
                Stage::Http2,
                ", accepted but without HTTP/2 SETTINGS so far",
            ),
            (Stage::Connect, ""),
        ] {
            elsewhere.reached(stage);
            assert_eq!(progress.to_string(), text);
        }
    }
}
