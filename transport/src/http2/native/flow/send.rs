//! What we may send: of one stream, or of the connection.

use super::MAX_WINDOW;

/// Below zero after the peer has lowered its initial window (RFC 9113 §6.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct SendWindow(i64);

/// The peer has raised a window beyond 2^31-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Overflow;

impl SendWindow {
    pub(in super::super) fn new(initial: u32) -> Self {
        Self(i64::from(initial))
    }

    /// Bytes were placed in the output; never more than are available.
    #[inline]
    pub(in super::super) fn consume(&mut self, bytes: u32) {
        debug_assert!(bytes <= self.available());
        self.0 = self.0.saturating_sub(i64::from(bytes));
    }

    /// WINDOW_UPDATE.
    pub(in super::super) fn add(&mut self, bytes: u32) -> Result<(), Overflow> {
        self.shift(i64::from(bytes))
    }

    /// The peer's SETTINGS_INITIAL_WINDOW_SIZE has changed by so much.
    pub(in super::super) fn shift(&mut self, by: i64) -> Result<(), Overflow> {
        let shifted = self.0.saturating_add(by);
        if shifted > i64::from(MAX_WINDOW) {
            return Err(Overflow);
        }
        self.0 = shifted;
        Ok(())
    }

    #[inline]
    pub(in super::super) fn available(&self) -> u32 {
        // Never above 2^31-1.
        u32::try_from(self.0).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_window_goes_below_zero_and_comes_back() {
        let mut window = SendWindow::new(65_535);
        window.consume(60_000);
        window.shift(-65_535).unwrap();
        assert_eq!(window.available(), 0);
        window.add(60_000).unwrap();
        assert_eq!(window.available(), 0, "exactly used up");
        window.add(1).unwrap();
        assert_eq!(window.available(), 1);
        window.shift(65_535).unwrap();
        assert_eq!(window.available(), 65_536);
    }

    #[test]
    fn the_largest_window_is_not_passed() {
        let mut window = SendWindow::new(MAX_WINDOW);
        assert_eq!(window.add(1), Err(Overflow));
        assert_eq!(window.available(), MAX_WINDOW, "it stays");
        window.consume(1);
        window.add(1).unwrap();
        assert_eq!(window.shift(1), Err(Overflow));
        window.shift(-i64::from(MAX_WINDOW)).unwrap();
        assert_eq!(window.available(), 0);
    }

    /// Any order of the same events ends in the same window: initial + added - sent.
    #[test]
    fn windows_are_a_sum_in_whatever_order() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut initial = random.u32(..100_000);
            let mut window = SendWindow::new(initial);
            let (mut added, mut sent) = (0_i64, 0_i64);
            for _ in 0..500 {
                match random.u8(..3) {
                    0 => {
                        let by = random.u32(1..20_000);
                        window.add(by).unwrap();
                        added += i64::from(by);
                    }
                    1 => {
                        let to = random.u32(..100_000);
                        window.shift(i64::from(to) - i64::from(initial)).unwrap();
                        initial = to;
                    }
                    _ => {
                        let bytes = random.u32(..=window.available());
                        window.consume(bytes);
                        sent += i64::from(bytes);
                    }
                }
                let sum = i64::from(initial) + added - sent;
                assert_eq!(i64::from(window.available()), sum.max(0));
            }
        }
    }
}
