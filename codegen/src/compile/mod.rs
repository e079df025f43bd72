//! The front end: .proto files in, descriptors out, with errors that point at a line.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use miette::Diagnostic;
use prost::Message;
use prost_types::FileDescriptorProto;
use protox::Compiler;
use protox::file::GoogleFileResolver;

use crate::described::Descriptors;
use crate::editions::{self, FileFeatures};
use crate::error::{Error, Problem};
use crate::survey::Places;

mod resolver;
mod sets;

use resolver::{Reading, Resolver, Seen};
use sets::{FileSet, SaysEdition, undecodable};

/// What the front end found.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Every file, imported ones before those that import them.
    pub(crate) files: Vec<FileDescriptorProto>,
    /// Where each file was read, by the name that imports use; the built-in well-known ones are nowhere.
    pub(crate) places: Places,
    compiler: Compiler,
    /// Of all files, in their order.
    names: Vec<String>,
    /// The numbers of the editions that files are of.
    editions: BTreeMap<String, i32>,
}

/// Parses, links and checks `protos` and all they import.
pub(crate) fn load(protos: &[&Path], includes: &[PathBuf]) -> Result<Sources, Error> {
    let as_meant = attempt(protos, includes, Reading::AsMeant);
    match &as_meant {
        Err(Error::Syntax { problems }) if problems.iter().any(|p| p.position.is_none()) => {
            match attempt(protos, includes, Reading::ForPlaces) {
                Err(Error::Syntax { problems: placed }) if same_texts(problems, &placed) => {
                    Err(Error::Syntax { problems: placed })
                }
                _ => as_meant,
            }
        }
        _ => as_meant,
    }
}

fn same_texts(left: &[Problem], right: &[Problem]) -> bool {
    let mut pairs = left.iter().zip(right);
    left.len() == right.len() && pairs.all(|(a, b)| a.message == b.message)
}

fn attempt(protos: &[&Path], includes: &[PathBuf], reading: Reading) -> Result<Sources, Error> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let mut compiler = Compiler::with_file_resolver(Resolver {
        includes: includes.to_vec(),
        reading,
        built_in: GoogleFileResolver::new(),
        seen: Rc::clone(&seen),
    });
    compiler.include_imports(true).include_source_info(true);
    for proto in protos {
        compiler
            .open_file(proto)
            .map_err(|error| explain(&error, proto, includes, &mut seen.borrow_mut()))?;
    }
    let mut files = compiler.file_descriptor_set().file;
    lower_editions(&mut files, &compiler, &seen.borrow())?;
    let seen = seen.borrow();
    let places = seen
        .files
        .iter()
        .map(|(name, file)| (name.clone(), file.path.clone()))
        .collect();
    let editions = seen
        .files
        .iter()
        .filter_map(|(name, file)| Some((name.clone(), file.edition?)))
        .collect();
    Ok(Sources {
        names: files.iter().map(|file| file.name().to_owned()).collect(),
        editions,
        files,
        places,
        compiler,
    })
}

impl Sources {
    /// The encoded descriptor of each file, options of all kinds included, comments left out.
    ///
    /// Those of an edition say so, as protoc writes them, whatever they were read as.
    pub(crate) fn descriptors(&mut self) -> Result<Descriptors, Error> {
        self.compiler.include_source_info(false);
        let set = FileSet::of(&self.compiler)?;
        let mut descriptors = Descriptors::new();
        for (name, mut bytes) in self.names.iter().zip(set.files) {
            if let Some(edition) = self.editions.get(name) {
                let says = SaysEdition {
                    syntax: "editions".to_owned(),
                    edition: *edition,
                };
                // Of a field that is there twice, the last one counts.
                bytes.extend(says.encode_to_vec());
            }
            descriptors.insert(name.clone(), bytes);
        }
        Ok(descriptors)
    }

    /// All files as an encoded `FileDescriptorSet`, in their order.
    pub(crate) fn descriptor_set(&self, descriptors: &Descriptors) -> Vec<u8> {
        let files = self.names.iter().filter_map(|name| descriptors.get(name));
        let files = files.cloned().collect();
        FileSet { files }.encode_to_vec()
    }
}

/// Gives the files of editions the shape that features ask for.
fn lower_editions(
    files: &mut [FileDescriptorProto],
    compiler: &Compiler,
    seen: &Seen,
) -> Result<(), Error> {
    let edition_of = |file: &FileDescriptorProto| {
        let known = seen.files.get(file.name());
        known.and_then(|known| known.edition)
    };
    if !files.iter().any(|file| edition_of(file).is_some()) {
        return Ok(());
    }
    let set = FileSet::of(compiler)?;
    for (file, bytes) in files.iter_mut().zip(&set.files) {
        if edition_of(file).is_some() {
            let features =
                FileFeatures::decode(bytes.as_slice()).map_err(|error| undecodable(&error))?;
            editions::lower(file, &features);
        }
    }
    Ok(())
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
