//! The front end: .proto files in, descriptors out, with errors that point at a line.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use miette::Diagnostic;
use prost_types::FileDescriptorProto;
use protox::Compiler;
use protox::file::{File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::error::{Error, Problem};
use crate::survey::Places;

/// What the front end found.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Every file, imported ones before those that import them.
    pub(crate) files: Vec<FileDescriptorProto>,
    /// Where each file was read, by the name that imports use; the built-in well-known ones are nowhere.
    pub(crate) places: Places,
    compiler: Compiler,
}

/// Parses, links and checks `protos` and all they import.
pub(crate) fn load(protos: &[&Path], includes: &[PathBuf]) -> Result<Sources, Error> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let mut compiler = Compiler::with_file_resolver(Resolver {
        includes: includes.to_vec(),
        built_in: GoogleFileResolver::new(),
        seen: Rc::clone(&seen),
    });
    compiler.include_imports(true).include_source_info(true);
    for proto in protos {
        compiler
            .open_file(proto)
            .map_err(|error| explain(&error, proto, includes, &mut seen.borrow_mut()))?;
    }
    let files = compiler.file_descriptor_set().file;
    let seen = seen.borrow();
    let places = seen
        .files
        .iter()
        .map(|(name, file)| (name.clone(), file.path.clone()))
        .collect();
    Ok(Sources {
        files,
        places,
        compiler,
    })
}

impl Sources {
    /// All files as an encoded `FileDescriptorSet`, options of all kinds included, comments left out.
    pub(crate) fn descriptor_set(&mut self) -> Vec<u8> {
        self.compiler.include_source_info(false);
        self.compiler.encode_file_descriptor_set()
    }
}

/// What the resolver remembers, because the compiler's errors do not say it.
#[derive(Debug, Default)]
struct Seen {
    /// By the name that `import` statements use.
    files: BTreeMap<String, SeenFile>,
    /// The last name that was nowhere.
    missing: Option<String>,
    /// The failure behind an error that the compiler passes on without its cause.
    failure: Option<Error>,
}

#[derive(Debug)]
struct SeenFile {
    path: PathBuf,
    text: String,
}

/// Looks files up in the include paths, then among the built-in ones.
struct Resolver {
    includes: Vec<PathBuf>,
    built_in: GoogleFileResolver,
    seen: Rc<RefCell<Seen>>,
}

impl FileResolver for Resolver {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.includes
            .iter()
            .find_map(|include| IncludeFileResolver::new(include.clone()).resolve_path(path))
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        for include in &self.includes {
            let path = include.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let file = SeenFile {
                        path: path.clone(),
                        text,
                    };
                    self.seen.borrow_mut().files.insert(name.to_owned(), file);
                    return File::open(name, &path);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(source) => {
                    let text = source.to_string();
                    self.seen.borrow_mut().failure = Some(Error::Read { path, source });
                    return Err(protox::Error::new(text));
                }
            }
        }
        self.built_in.open_file(name).inspect_err(|_| {
            self.seen.borrow_mut().missing = Some(name.to_owned());
        })
    }
}

/// Turns the compiler's error into ours, with paths and positions.
fn explain(error: &protox::Error, proto: &Path, includes: &[PathBuf], seen: &mut Seen) -> Error {
    if let Some(failure) = seen.failure.take() {
        return failure;
    }
    let blamed = error.file().map(str::to_owned);
    if error.is_file_not_found() {
        let searched = includes.to_vec();
        return match (blamed, seen.missing.take()) {
            (Some(importer), Some(import)) => Error::ImportNotFound {
                at: Problem {
                    message: format!("import {import:?} not found"),
                    ..problem(error, &importer, seen)
                },
                import,
                searched,
            },
            _ => Error::NotIncluded {
                file: proto.to_owned(),
                searched,
            },
        };
    }
    let file = blamed.unwrap_or_else(|| proto.display().to_string());
    let mut problems = vec![problem(error, &file, seen)];
    if let Some(first) = problems.first_mut().filter(|p| p.position.is_none()) {
        // The only errors of the parser without a place are those at the end of the text.
        first.position = error.is_parse().then(|| end_of(&file, seen)).flatten();
    }
    problems.extend(
        error
            .related()
            .into_iter()
            .flatten()
            .map(|related| problem(related, &file, seen)),
    );
    Error::Syntax { problems }
}

fn problem(error: &dyn Diagnostic, file: &str, seen: &Seen) -> Problem {
    let known = seen.files.get(file);
    let mut message = error.to_string();
    if let Some(help) = error.help() {
        message = format!("{message} ({help})");
    }
    Problem {
        file: known.map_or_else(|| PathBuf::from(file), |f| f.path.clone()),
        position: known
            .zip(offset(error))
            .and_then(|(f, offset)| position(&f.text, offset)),
        message,
    }
}

/// The place an error is about: of several, the one that says "found", else the last, because an
/// earlier one tells where something was defined first.
fn offset(error: &dyn Diagnostic) -> Option<usize> {
    let labels: Vec<_> = error.labels()?.collect();
    labels
        .iter()
        .find(|l| l.label().is_some_and(|text| text.contains("found")))
        .or_else(|| labels.last())
        .map(miette::LabeledSpan::offset)
}

fn end_of(file: &str, seen: &Seen) -> Option<(usize, usize)> {
    let text = &seen.files.get(file)?.text;
    position(text, text.trim_end().len())
}

/// Line and column of a byte offset, both from 1, the column in characters.
fn position(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset.min(text.len()))?;
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..)?.chars().count() + 1;
    Some((line, column))
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "ab\nçd\n";
        assert_eq!(position(text, 0), Some((1, 1)));
        assert_eq!(position(text, 2), Some((1, 3)));
        assert_eq!(position(text, 3), Some((2, 1)));
        assert_eq!(position(text, 5), Some((2, 2)));
        assert_eq!(position(text, 999), Some((3, 1)));
        assert_eq!(position(text, 4), None, "inside a character");
    }
}
