//! Writes a tree of .proto files in many packages that import each other crosswise, as large as one likes.
//!
//! A module of a build script and of codegen's tests alike.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) packages: usize,
    pub(crate) files: usize,
}

/// Writes `packages` packages of `files` files each below `folder`; the names of the files.
///
/// A file imports the one before it in its package, and of the same rank those of the two packages beside
/// it, one rank down: no file imports itself around a corner, while every package imports its neighbours
/// and is imported by them. Package 1 is the beginning of package 2's name.
pub(crate) fn write(folder: &Path, size: Size) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for package in 0..size.packages {
        for rank in 0..size.files {
            let name = file_name(package, rank);
            let path = folder.join(&name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let text = text(package, rank, size);
            // What a build script writes anew on each run makes Cargo run it again.
            if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                fs::write(path, text)?;
            }
            names.push(PathBuf::from(name));
        }
    }
    Ok(names)
}

/// `org/p3/m1.proto`.
pub(crate) fn file_name(package: usize, rank: usize) -> String {
    format!("{}/m{rank}.proto", package_name(package).replace('.', "/"))
}

fn package_name(package: usize) -> String {
    match package {
        2 => "org.p1.inside".to_owned(),
        _ => format!("org.p{package}"),
    }
}

fn text(package: usize, rank: usize, size: Size) -> String {
    let mut out = format!("syntax = \"proto3\";\npackage {};\n", package_name(package));
    let below = rank.checked_sub(1);
    let beside = [package + size.packages - 1, package, package + 1];
    let others: Vec<(usize, usize)> = below
        .into_iter()
        .flat_map(|rank| beside.map(|other| (other % size.packages, rank)))
        .collect();
    for (other, rank) in &others {
        let _ = writeln!(out, "import \"{}\";", file_name(*other, *rank));
    }
    let _ = write!(
        out,
        "// Message {rank} of package {package}.
message M{rank} {{
  enum Kind {{ KIND_UNSPECIFIED = 0; KIND_OTHER = 1; }}
  Kind kind = 1;
  string name = 2;
  map<string, M{rank}> named = 3;
  optional int64 number = 4;
  oneof choice {{ bytes data = 5; M{rank} more = 6; }}
"
    );
    for (tag, (other, rank)) in (10..).zip(&others) {
        let _ = writeln!(
            out,
            "  .{}.M{rank} other{tag} = {tag};",
            package_name(*other)
        );
    }
    out.push_str("}\n");
    if rank + 1 == size.files {
        let _ = write!(
            out,
            "service Service {{
  rpc Get(M{rank}) returns (M{rank});
  rpc Watch(stream M{rank}) returns (stream M{rank});
}}
"
        );
    }
    out
}
