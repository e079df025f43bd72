//! Finds files for the compiler, and remembers of them what its errors leave out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost_types::FileDescriptorProto;
use protox::file::{File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::position;
use crate::editions::{self, Statement};
use crate::error::{Error, Problem};

/// How files of editions are handed to the compiler.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Reading {
    /// As proto2, which allows defaults and closed enums, but without the text: it would not parse.
    AsMeant,
    /// As proto3 with the text: it knows where an error is, and finds some that are none.
    ForPlaces,
}

/// What the resolver remembers, because the compiler's errors do not say it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By the name that `import` statements use.
    pub(super) files: BTreeMap<String, SeenFile>,
    /// The last name that was nowhere.
    pub(super) missing: Option<String>,
    /// The failure behind an error that the compiler passes on without its cause.
    pub(super) failure: Option<Error>,
}

#[derive(Debug)]
pub(super) struct SeenFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The edition's number; the text is then what it was read as.
    pub(super) edition: Option<i32>,
}

/// Looks files up in the include paths, then among the built-in ones.
pub(super) struct Resolver {
    pub(super) includes: Vec<PathBuf>,
    pub(super) reading: Reading,
    pub(super) built_in: GoogleFileResolver,
    pub(super) seen: Rc<RefCell<Seen>>,
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
                Ok(text) => return self.parse(name, path, text),
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

impl Resolver {
    fn parse(&self, name: &str, path: PathBuf, text: String) -> Result<File, protox::Error> {
        let mut seen = self.seen.borrow_mut();
        // A mark that some editors put in front, and that protoc skips.
        let marked = text.strip_prefix('\u{FEFF}').map(str::to_owned);
        let is_marked = marked.is_some();
        let text = marked.unwrap_or(text);
        let (text, edition) = match editions::statement(&text) {
            None => (text, None),
            Some(Statement::Known(text, edition)) => (text, Some(edition)),
            Some(Statement::Unknown(edition, at)) => {
                let message = format!(
                    "edition {edition:?} is not known; 2023 and 2024 are, and proto2 and proto3"
                );
                let problem = Problem {
                    position: position(&text, at),
                    file: path,
                    message: message.clone(),
                };
                seen.failure = Some(Error::Syntax {
                    problems: vec![problem],
                });
                return Err(protox::Error::new(message));
            }
        };
        let parsed = match edition {
            None if is_marked => File::from_source(name, &text),
            None => File::open(name, &path),
            Some(_) => File::from_source(name, &text).map(|file| {
                if self.reading == Reading::ForPlaces {
                    return file;
                }
                let mut file = FileDescriptorProto::from(file);
                file.syntax = None;
                editions::take_defaults(&mut file);
                File::from_file_descriptor_proto(file)
            }),
        };
        let file = SeenFile {
            path,
            text,
            edition,
        };
        seen.files.insert(name.to_owned(), file);
        parsed
    }
}
