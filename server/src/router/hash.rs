//! How paths are hashed: quickly, because nobody but the program itself puts any into the table.

use std::hash::{BuildHasherDefault, Hasher};

/// For tables whose keys are in the code. Whoever looks up a path that is not there meets the keys
/// of one bucket, as with any hash.
pub(super) type BuildPathHasher = BuildHasherDefault<PathHasher>;

/// Eight octets per step: a multiplication, whose upper half is folded into the lower one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PathHasher(u64);

/// The fraction of the golden ratio, made odd.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl PathHasher {
    const fn add(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(FACTOR);
        self.0 = product ^ (product >> 32);
    }
}

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            self.add(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }

    /// The table takes its place from the lowest bits and a tag from the highest: both are mixed.
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn paths_that_are_alike_fall_apart() {
        let build = BuildPathHasher::default();
        let paths: Vec<_> = (0..1_000)
            .map(|n| format!("/pkg.v1.Service{}/Method{}", n / 20, n % 20))
            .collect();
        let hashes: Vec<_> = paths.iter().map(|path| build.hash_one(path)).collect();
        let different: HashSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), paths.len());
        let places: HashSet<_> = hashes.iter().map(|hash| hash & 1023).collect();
        assert!(places.len() > 550, "{} of 1024 places", places.len());
        let tags: HashSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(tags.len() > 100, "{} of 128 tags", tags.len());
    }
}
