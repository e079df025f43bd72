//! What is written is what was added, however little the socket takes at a time.

use super::*;

/// What `slices` shows, joined.
fn shown(out: &Out, places: usize) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); places];
    let used = out.slices(&mut slices);
    slices.iter().take(used).flat_map(|s| s.to_vec()).collect()
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
    assert_eq!(shown(&out, 64), &all[6..]);
}

#[test]
fn a_large_piece_is_not_copied_and_a_short_one_is() {
    let mut out = Out::default();
    let large = Bytes::from(vec![1; COPY + 1]);
    out.piece(large.clone());
    out.piece(large.slice(1..));
    let mut slices = [IoSlice::new(&[]); 3];
    assert_eq!(out.slices(&mut slices), 2);
    assert_eq!(slices[0].as_ptr(), large.as_ptr());
    assert_ne!(slices[1].as_ptr(), large[1..].as_ptr());
}
