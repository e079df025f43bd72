//! Why a compilation failed, in words that name the file.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was generated.
///
/// `Display` and `Debug` give the same text: a build script that returns the error from `main` is
/// shown the `Debug` form.
#[non_exhaustive]
pub enum Error {
    /// A file is not valid protobuf; at least one problem, the first one first.
    Syntax {
        /// Everything that was found before the compiler gave up.
        problems: Vec<Problem>,
    },
    /// An `import` names a file that no include path holds.
    ImportNotFound {
        /// The name in the `import` statement.
        import: String,
        /// Where that statement is.
        at: Problem,
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
    },
    /// A file to compile is in none of the include paths.
    NotIncluded {
        /// The file as it was given.
        file: PathBuf,
        /// The include paths.
        searched: Vec<PathBuf>,
    },
    /// A file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be written.
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither `out_dir` nor the environment variable `OUT_DIR` is set.
    NoOutDir,
    /// The include file or the descriptor set has the name of another file.
    IncludeFileName {
        /// The name that both want.
        name: String,
    },
    /// An option cannot be what it was set to.
    Option {
        /// The option with its value, as in `runtime_path("super::x")`.
        option: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Valid protobuf that has no valid Rust: two names that become one, a type that is left out.
    Unsupported {
        /// Everything of the kind, in the order of the files.
        problems: Vec<Problem>,
    },
    /// The message generator gave up, which it never should.
    Generator {
        /// What it said.
        reason: String,
    },
    /// What protoc or buf asked cannot be understood.
    Request {
        /// What is wrong with it.
        reason: String,
    },
    /// A crate whose protos are to be imported has told nothing about them.
    NotExported {
        /// The `links` name that was asked for.
        links: String,
        /// What was looked for and not found.
        reason: String,
    },
}

/// One complaint about one place in a .proto file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Problem {
    /// The file, below the include path that it was found in.
    pub file: PathBuf,
    /// Line and column, both from 1, the column in characters; `None` when the whole file is meant.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { problems } | Self::Unsupported { problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    if index > 0 {
                        f.write_str("\n")?;
                    }
                    problem.fmt(f)?;
                }
                Ok(())
            }
            Self::ImportNotFound { at, searched, .. } => {
                write!(f, "{at}; searched: {}", Folders(searched))
            }
            Self::NotIncluded { file, searched } => {
                let file = file.display();
                write!(
                    f,
                    "{file}: not in any include path; searched: {}",
                    Folders(searched)
                )
            }
            Self::Read { path, source } => write!(f, "{}: cannot read: {source}", path.display()),
            Self::Write { path, source } => write!(f, "{}: cannot write: {source}", path.display()),
            Self::NoOutDir => f.write_str(
                "no folder to write to: OUT_DIR is not set (is this a build script?) and out_dir was not called",
            ),
            Self::IncludeFileName { name } => write!(
                f,
                "{name:?} is the name of two files: a package's, the include file's or the descriptor set's; choose another in include_file or descriptor_set"
            ),
            Self::Generator { reason } => write!(
                f,
                "the generator of messages gave up, which is a fault of trunkline-codegen: {reason}"
            ),
            Self::Request { reason } => write!(f, "the request of protoc or buf is malformed: {reason}"),
            Self::Option { option, reason } => write!(f, "{option}: {reason}"),
            Self::NotExported { links, reason } => write!(
                f,
                "import_protos({links:?}): {reason}; the crate needs `links = {links:?}` in its Cargo.toml and export_protos in its build script, and must be among the [dependencies] of this one"
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Syntax { .. }
            | Self::Unsupported { .. }
            | Self::Option { .. }
            | Self::Generator { .. }
            | Self::Request { .. }
            | Self::NotExported { .. }
            | Self::ImportNotFound { .. }
            | Self::NotIncluded { .. }
            | Self::NoOutDir
            | Self::IncludeFileName { .. } => None,
        }
    }
}

/// Include paths as one list in a sentence.
struct Folders<'a>(&'a [PathBuf]);

impl fmt::Display for Folders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing, no include path was given");
        }
        for (index, folder) in self.0.iter().map(PathBuf::as_path).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", Path::display(folder))?;
        }
        Ok(())
    }
}
