//! What the peer may send: of one stream, or of the connection.
//!
//! The bytes of a window are at one of three places: the peer may send them (`left`), they have
//! arrived and nobody has taken them (`held`), or they were taken and the peer was not told yet
//! (`owed`). The three add up to `size` at any time.

use super::MAX_WINDOW;

/// The peer is told of new room once this part of the window can be given.
const PART: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct RecvWindow {
    size: u32,
    left: u32,
    held: u32,
}

/// The peer has sent more than it was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Exceeded;

impl RecvWindow {
    pub(in super::super) fn new(size: u32) -> Self {
        let size = size.min(MAX_WINDOW);
        Self {
            size,
            left: size,
            held: 0,
        }
    }

    /// DATA of this length, with padding, has arrived.
    #[inline]
    pub(in super::super) fn received(&mut self, bytes: u32) -> Result<(), Exceeded> {
        self.left = self.left.checked_sub(bytes).ok_or(Exceeded)?;
        self.held = self.held.saturating_add(bytes);
        Ok(())
    }

    /// So many of the bytes that have arrived are not held any more; says by how much a
    /// WINDOW_UPDATE is to be sent now. More than is held is not given.
    #[inline]
    pub(in super::super) fn credit(&mut self, bytes: u32) -> Option<u32> {
        self.held = self.held.saturating_sub(bytes);
        let owed = self.owed();
        if owed == 0 || owed < self.size / PART {
            return None;
        }
        self.left = self.left.saturating_add(owed);
        Some(owed)
    }

    /// The window becomes larger for this stream or connection alone: by how much a WINDOW_UPDATE
    /// is to be sent. A window never shrinks.
    pub(in super::super) fn grow(&mut self, to: u32) -> Option<u32> {
        let to = to.min(MAX_WINDOW);
        if to <= self.size {
            return None;
        }
        self.size = to;
        let owed = self.owed();
        self.left = self.left.saturating_add(owed);
        Some(owed)
    }

    /// Our SETTINGS_INITIAL_WINDOW_SIZE becomes larger, which by itself tells the peer so. It may
    /// use the new window from now on, although it has not acknowledged it yet.
    pub(in super::super) fn set_initial(&mut self, to: u32) {
        let to = to.min(MAX_WINDOW);
        if to > self.size {
            self.left = self.left.saturating_add(to - self.size);
            self.size = to;
        }
    }

    pub(in super::super) const fn size(&self) -> u32 {
        self.size
    }

    /// What has arrived and was not credited.
    #[cfg(test)]
    pub(in super::super) const fn held(&self) -> u32 {
        self.held
    }

    /// What the peer may send as far as it knows.
    pub(in super::super) const fn left(&self) -> u32 {
        self.left
    }

    fn owed(&self) -> u32 {
        self.size
            .saturating_sub(self.left)
            .saturating_sub(self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_announced_at_a_quarter() {
        let mut window = RecvWindow::new(1_000);
        window.received(600).unwrap();
        assert_eq!(window.credit(249), None);
        assert_eq!(window.credit(1), Some(250));
        assert_eq!(window.credit(0), None, "said already");
        assert_eq!(window.credit(1_000_000), Some(350), "what there was");
        assert_eq!(window.left(), 1_000);
        let mut tiny = RecvWindow::new(1);
        assert_eq!(tiny.credit(1), None);
        tiny.received(1).unwrap();
        assert_eq!(tiny.credit(1), Some(1));
        assert_eq!(RecvWindow::new(0).received(1), Err(Exceeded));
    }

    #[test]
    fn a_peer_may_use_all_of_it_and_not_a_byte_more() {
        let mut window = RecvWindow::new(1_000);
        window.received(1_000).unwrap();
        window.received(0).unwrap();
        assert_eq!(window.received(1), Err(Exceeded));
        assert_eq!(window.held(), 1_000);
        assert_eq!(window.credit(1_000), Some(1_000));
        window.received(1_000).unwrap();
        assert_eq!(window.received(u32::MAX), Err(Exceeded));
    }

    #[test]
    fn it_grows_by_itself_or_with_the_settings_and_never_shrinks() {
        let mut window = RecvWindow::new(1_000);
        window.received(900).unwrap();
        assert_eq!(window.credit(100), None);
        assert_eq!(window.grow(2_000), Some(1_100), "with what was owed");
        assert_eq!((window.left(), window.held()), (1_200, 800));
        assert_eq!(window.grow(2_000), None);
        window.set_initial(3_000);
        assert_eq!((window.size(), window.left()), (3_000, 2_200));
        window.set_initial(5);
        assert_eq!(window.size(), 3_000);
        assert_eq!(window.grow(u32::MAX), Some(MAX_WINDOW - 3_000));
        assert_eq!(window.left(), MAX_WINDOW - 800);
    }

    /// Whatever happens in whatever order: nothing is lost, nothing is given twice.
    #[test]
    fn the_window_is_exactly_full_in_the_end() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut window = RecvWindow::new(random.u32(..100_000));
            // What the peer believes it may send.
            let mut peer = window.left();
            let mut unread = 0;
            for _ in 0..1_000 {
                match random.u8(..20) {
                    0..9 => {
                        let bytes = random.u32(..=peer);
                        window.received(bytes).unwrap();
                        peer -= bytes;
                        unread += bytes;
                    }
                    9..18 => {
                        let bytes = random.u32(..=unread);
                        unread -= bytes;
                        peer += window.credit(bytes).unwrap_or(0);
                    }
                    18 => peer += window.grow(random.u32(..200_000)).unwrap_or(0),
                    _ => {
                        let to = random.u32(..200_000);
                        peer += to.saturating_sub(window.size());
                        window.set_initial(to);
                    }
                }
                assert_eq!(window.left(), peer);
                assert_eq!(window.held(), unread);
                assert_eq!(window.received(peer + 1), Err(Exceeded));
            }
            peer += window.credit(unread).unwrap_or(0);
            let kept = window.size() - peer;
            assert!(kept == 0 || kept < window.size() / PART, "{kept} not given");
        }
    }
}
