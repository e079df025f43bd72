//! What is written is what was added, however little the socket takes at a time.

use fastrand::Rng;
use trunkline_core::buffer_for;

use super::*;

/// What `slices` shows, joined.
fn shown(out: &Out, places: usize) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); places];
    let used = out.slices(&mut slices);
    let used = slices.get(..used).expect("no more than there are");
    assert!(used.iter().all(|slice| !slice.is_empty()));
    used.iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn small_bytes_and_pieces_keep_their_order() {
    let mut out = Out::default();
    let large = Bytes::from(vec![1; COPY + 1]);
    out.small().extend_from_slice(b"head");
    out.piece(large.clone());
    out.piece(large.clone());
    out.piece(Bytes::from_static(b"short"));
    out.small().extend_from_slice(b"tail");
    let all = [&b"head"[..], &large, &large, b"short", b"tail"].concat();
    assert_eq!(shown(&out, 64), all);
    assert_eq!(out.len(), all.len());
    assert_eq!(shown(&out, 2), [&b"head"[..], &large].concat());
    assert_eq!(shown(&out, 0), b"");
    out.advance(6);
    assert_eq!(shown(&out, 64), all.get(6..).expect("more"));
}

#[test]
fn a_large_piece_is_not_copied_and_a_short_one_is() {
    let mut out = Out::default();
    let large = Bytes::from(vec![1; COPY + 1]);
    let short = large.slice(1..);
    out.piece(large.clone());
    out.piece(short.clone());
    let addresses = |out: &Out| {
        let mut slices = [IoSlice::new(&[]); 3];
        let used = out.slices(&mut slices);
        let used = slices.iter().take(used);
        used.map(|slice| slice.as_ptr()).collect::<Vec<_>>()
    };
    let [first, second] = addresses(&out)[..] else {
        panic!("two slices")
    };
    assert_eq!(first, large.as_ptr());
    assert_ne!(second, short.as_ptr());
    out.advance(out.len());
    out.copy_up_to(COPY + 1);
    out.piece(large);
    out.piece(short);
    assert_eq!(addresses(&out).len(), 1, "both in one");
}

#[test]
fn what_was_copied_or_written_leaves_its_buffer_to_the_next_message() {
    let used = |length| Bytes::from(vec![1; length]);
    for length in [COPY, COPY + 1] {
        let is_reused = || {
            let mut out = Out::default();
            let piece = used(length);
            let at = piece.as_ptr();
            out.piece(piece);
            out.advance(length - 1);
            out.advance(1);
            assert!(out.is_empty());
            buffer_for(length).as_ptr() == at
        };
        // Other tests of this process take and keep buffers too.
        assert!((0..1_000).any(|_| is_reused()), "{length}");
    }
}

#[test]
fn whatever_the_socket_takes_at_a_time_all_bytes_come_in_order() {
    let mut random = Rng::with_seed(3);
    for _ in 0..200 {
        let mut out = Out::default();
        let (mut added, mut taken) = (Vec::new(), Vec::new());
        for _ in 0..random.usize(1..60) {
            let length = *random
                .choice(&[0, 1, 9, 200, COPY, COPY + 1, 16_384])
                .unwrap_or(&1);
            let mut bytes = vec![0; length];
            random.fill(&mut bytes);
            added.extend_from_slice(&bytes);
            if random.bool() {
                out.small().extend_from_slice(&bytes);
            } else {
                out.piece(bytes.into());
            }
            let first = shown(&out, random.usize(0..8));
            let n = random.usize(0..=first.len());
            taken.extend_from_slice(first.get(..n).expect("shown"));
            out.advance(n);
            assert_eq!(out.len(), added.len() - taken.len());
            assert_eq!(out.placed(), added.len() as u64);
            assert_eq!(out.taken(), taken.len() as u64);
            if random.u8(0..8) == 0 {
                out.shrink();
            }
        }
        taken.extend(shown(&out, 200));
        assert_eq!(taken, added);
        out.advance(usize::MAX);
        assert!(out.is_empty());
        assert_eq!(
            (out.taken(), out.placed()),
            (added.len() as u64, added.len() as u64)
        );
    }
}

#[test]
fn a_slow_socket_makes_the_buffer_no_larger_than_what_waits() {
    let mut out = Out::default();
    for _ in 0..20_000 {
        out.small().extend_from_slice(&[7; 200]);
        out.advance(if out.len() > 4_000 { 300 } else { 100 });
    }
    assert!(out.small().capacity() <= 16 * 1024);
    out.advance(out.len());
    out.shrink();
    assert_eq!(out.small().capacity(), 0);
}

#[test]
fn what_was_written_from_serves_the_next_connection() {
    let mut one = Out::default();
    one.small().extend_from_slice(&[1; 10_000]);
    one.give_back();
    assert_eq!(one.len(), 10_000, "it still waits");
    one.advance(10_000);
    one.give_back();
    assert!(!one.can_shrink());
    let mut other = Out::default();
    other.borrow();
    assert!(other.is_empty());
    // Its room shows once it is begun anew.
    other.small().reserve(1);
    assert!(other.small().capacity() >= 10_000);
    one.borrow();
    assert_eq!(one.small().capacity(), 0, "it is lent");
    // A long one is not kept for those who write little.
    let long = vec![1; 2 * usize::try_from(KEPT).expect("it is short")];
    other.small().extend_from_slice(&long);
    other.advance(long.len());
    other.give_back();
    one.borrow();
    assert_eq!(one.small().capacity(), 0);
}
