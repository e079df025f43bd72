//! The least of an input that still fails.

use std::time::{Duration, Instant};

/// Longer is not tried: an input need not be the smallest to be understood.
const BOUND: Duration = Duration::from_secs(20);

/// A smaller input for which `fails` is still true, by leaving out ever smaller pieces and then by
/// making bytes zero.
pub fn minimised(input: Vec<u8>, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let end = Instant::now() + BOUND;
    let mut best = input;
    let mut piece = best.len().div_ceil(2);
    while piece > 0 {
        let mut place = 0;
        let mut smaller = false;
        while place < best.len() && Instant::now() < end {
            let mut without = best.clone();
            without.drain(place..(place + piece).min(best.len()));
            if fails(&without) {
                best = without;
                smaller = true;
            } else {
                place += piece;
            }
        }
        if !smaller || piece > best.len() {
            piece = if piece == 1 {
                0
            } else {
                piece.div_ceil(2).min(piece - 1)
            };
        }
    }
    for place in 0..best.len() {
        if Instant::now() >= end {
            break;
        }
        let mut simpler = best.clone();
        match simpler.get_mut(place) {
            Some(byte) if *byte != 0 => *byte = 0,
            _ => continue,
        }
        if fails(&simpler) {
            best = simpler;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::minimised;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let mut input: Vec<u8> = (1..=200).collect();
        input.extend(b"needle");
        input.extend(1..=100);
        let fails = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == b"ed") && bytes.contains(&9);
        let mut least = minimised(input, fails);
        least.sort_unstable();
        assert_eq!(least, [9, b'd', b'e']);
    }
}
