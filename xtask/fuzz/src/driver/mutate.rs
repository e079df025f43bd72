//! New inputs out of old ones.

use fastrand::Rng;

/// Bytes at which something often changes.
const EDGES: &[u8] = &[
    0, 1, 2, 4, 5, 9, 16, 31, 32, 0x7e, 0x7f, 0x80, 0xc0, 0xfe, 0xff, b',', b'%', b'=', b':', b'.',
];

/// An input of at most `max_bytes`: an old one with some changes, or a new one.
pub fn mutate(corpus: &[Vec<u8>], max_bytes: usize, random: &mut Rng) -> Vec<u8> {
    let mut input = match corpus.len() {
        known @ 1.. if random.u8(0..8) > 0 => {
            let chosen = corpus.get(random.usize(0..known));
            chosen.cloned().unwrap_or_default()
        }
        _ => {
            // Mostly short ones: they are the quickest to try and to understand.
            let bound = if random.bool() { 64 } else { max_bytes };
            let length = random.usize(0..=bound.min(max_bytes));
            std::iter::repeat_with(|| random.u8(..))
                .take(length)
                .collect()
        }
    };
    for _ in 0..random.u8(1..=6) {
        change(&mut input, corpus, random);
    }
    input.truncate(max_bytes);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Rng) {
    let place = random.usize(0..=input.len());
    let length = random.usize(0..=(input.len() - place).min(32));
    match random.u8(0..9) {
        0 => {
            if let Some(byte) = input.get_mut(place) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(place) {
                *byte = random.u8(..);
            }
        }
        2 => {
            if let (Some(byte), Some(edge)) = (input.get_mut(place), random.choice(EDGES)) {
                *byte = *edge;
            }
        }
        3 => {
            if let Some(byte) = input.get_mut(place) {
                *byte = byte.wrapping_add_signed(random.i8(-4..=4));
            }
        }
        4 => drop(input.drain(place..place + length)),
        5 => {
            let count = random.usize(1..9);
            let more: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(count)
                .collect();
            input.splice(place..place, more);
        }
        6 => {
            // Twice what is there, here or elsewhere.
            let copy = input
                .get(place..place + length)
                .unwrap_or_default()
                .to_vec();
            let to = random.usize(0..=input.len());
            input.splice(to..to, copy);
        }
        7 => {
            if let Some(other) = random.choice(corpus) {
                let from = random.usize(0..=other.len());
                let until = random.usize(from..=other.len());
                let piece = other.get(from..until).unwrap_or_default().to_vec();
                input.splice(place..place + length, piece);
            }
        }
        _ => {
            if let Some(edge) = random.choice(EDGES) {
                input.splice(
                    place..place,
                    std::iter::repeat_n(*edge, random.usize(1..40)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::mutate;

    #[test]
    fn a_seed_means_its_inputs_and_no_input_is_too_long() {
        let corpus = [b"one".to_vec(), vec![7; 300]];
        let inputs = |seed| {
            let mut random = Rng::with_seed(seed);
            let each = std::iter::repeat_with(|| mutate(&corpus, 200, &mut random));
            each.take(2_000).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= 200));
        assert!(inputs(3).iter().any(|input| input.len() == 200));
    }
}
