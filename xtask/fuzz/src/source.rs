//! Values out of the bytes of an input: the same bytes always mean the same values.

/// Reads an input from its start. Past the end everything is zero or empty, so that every input
/// means something and a shorter one means less.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    /// All of the input.
    pub const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// Whether the input is used up.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Whether the next byte is odd.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Two bytes, big end first.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// Four bytes, big end first.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// Eight bytes, big end first.
    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// A number below `limit`, of one byte.
    pub fn below(&mut self, limit: u8) -> usize {
        usize::from(self.byte() % limit.max(1))
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let index = usize::from(self.byte()) % all.len();
        *all.get(index).expect("the index is below the length")
    }

    /// Up to 255 bytes, as many as the next byte says.
    pub fn short(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// Up to 64 KiB, as many as the next two bytes say.
    pub fn long(&mut self) -> &'a [u8] {
        let length = usize::from(self.u16());
        self.take(length)
    }

    /// Up to 255 bytes as text; what is no UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.short()).into_owned()
    }

    /// Up to 64 KiB as text.
    pub fn long_text(&mut self) -> String {
        String::from_utf8_lossy(self.long()).into_owned()
    }

    /// All that is left.
    pub fn remainder(&mut self) -> &'a [u8] {
        self.take(self.rest.len())
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        for (place, byte) in array.iter_mut().zip(self.take(N)) {
            *place = *byte;
        }
        array
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn past_the_end_there_is_nothing() {
        let mut source = Source::new(&[3, 1, 2]);
        assert_eq!(source.short(), [1, 2], "as many as there are");
        assert!(source.is_empty());
        assert_eq!((source.u64(), source.text().as_str()), (0, ""));
        assert_eq!(source.pick(&["a", "b"]), "a");
    }
}
