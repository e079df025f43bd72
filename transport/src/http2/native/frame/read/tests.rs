//! Each rule that a frame alone can break.

use super::*;

#[test]
fn the_preface_is_refused_as_soon_as_it_differs() {
    let mut reader = Reader::new(16_384, 65_536);
    reader.expect_preface();
    reader.buffer().extend_from_slice(b"PRI * HTTP/");
    assert_eq!(reader.next(), Ok(None));
    assert!(reader.mid_frame());
    reader.buffer().extend_from_slice(b"1");
    let fatal = reader.next().expect_err("HTTP/1.1");
    assert_eq!(fatal.reason, Reason::PROTOCOL_ERROR);
}
