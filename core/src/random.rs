//! Seeded random input for the property tests of this crate.

/// A xorshift generator: the same seed gives the same run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, max: usize) -> Vec<u8> {
        let len = self.below(max + 1);
        (0..len).map(|_| self.byte()).collect()
    }

    /// A string with characters of all lengths, controls, spaces and percent signs.
    pub(crate) fn string(&mut self, max: usize) -> String {
        let len = self.below(max + 1);
        let mut character = || match self.below(8) {
            0 => '%',
            1 => ' ',
            2 => char::from(self.byte() % 32),
            3 => char::from(self.byte()),
            4 => '\u{263a}',
            5 => {
                char::from_u32(u32::try_from(self.below(0x11_0000)).unwrap()).unwrap_or('\u{1f608}')
            }
            _ => char::from(b'a' + self.byte() % 26),
        };
        (0..len).map(|_| character()).collect()
    }
}
