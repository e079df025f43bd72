//! Text that may be a .proto file, through the whole of a build script's work.
//!
//! Input: the text. Where it is valid by protox, what comes of it is Rust or an error of ours.

use super::generated::{Folder, assert_explained, assert_rust};

pub(super) fn run(input: &[u8]) {
    let folder = Folder::new();
    folder.write("input.proto", input);
    let judged = folder.protox(&["input.proto"]);
    match folder.compile(&["input.proto"]) {
        Ok(files) => {
            // Editions, and marks of the byte order, are for us to read.
            let ours = input.starts_with(b"\xef\xbb\xbf")
                || input.windows(7).any(|word| word == b"edition");
            assert!(judged.is_ok() || ours, "protox says {judged:?}");
            assert_rust(&files);
        }
        Err(error) => assert_explained(&error, judged.is_ok()),
    }
}
