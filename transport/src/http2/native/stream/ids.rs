//! A hash of stream numbers that costs one multiplication, and that a peer cannot foresee.

use std::hash::{BuildHasher, Hasher, RandomState};

/// One random odd number per connection: a server's numbers are chosen by its peer, who must not
/// be able to make them collide.
#[derive(Clone, Debug)]
pub(super) struct BuildIdHasher(u64);

impl Default for BuildIdHasher {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u8) | 1)
    }
}

impl BuildHasher for BuildIdHasher {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher {
            factor: self.0,
            hash: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct IdHasher {
    factor: u64,
    hash: u64,
}

impl Hasher for IdHasher {
    /// Multiply-shift: the bits that a table takes its index from are those above the 32nd.
    fn write_u32(&mut self, id: u32) {
        self.hash = u64::from(id).wrapping_mul(self.factor).rotate_left(32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(self.factor);
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_or_far_apart_spread_over_the_buckets() {
        for stride in [2, 1 << 8, 1 << 16] {
            let hasher = BuildIdHasher::default();
            let mut buckets = [0_u32; 256];
            for n in 0..2_560_u32 {
                let hash = hasher.hash_one(1 + n * stride);
                buckets[(hash & 255) as usize] += 1;
            }
            let fullest = *buckets.iter().max().unwrap();
            assert!(fullest <= 160, "{fullest} of 2,560 in one of 256");
        }
    }
}
