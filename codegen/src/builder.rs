//! What a build script says: options, and the two ways to start.

use std::path::{Path, PathBuf};

use crate::compile;
use crate::error::Error;
use crate::generate;
use crate::output;

/// Starts a configuration with the defaults: client and server code, written to `OUT_DIR`.
///
/// ```no_run
/// # fn main() -> Result<(), trunkline_codegen::Error> {
/// trunkline_codegen::configure()
///     .build_server(false)
///     .compile(&["proto/guide.proto"], &["proto"])?;
/// # Ok(())
/// # }
/// ```
pub fn configure() -> Builder {
    Builder::default()
}

/// Compiles one file with the defaults; its own folder is the include path.
///
/// Errors: as [`Builder::compile`].
///
/// ```no_run
/// # fn main() -> Result<(), trunkline_codegen::Error> {
/// trunkline_codegen::compile_protos("proto/helloworld.proto")?;
/// # Ok(())
/// # }
/// ```
pub fn compile_protos(proto: impl AsRef<Path>) -> Result<(), Error> {
    let proto = proto.as_ref();
    let folder = match proto.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    configure().compile(&[proto], &[folder])
}

/// The options of one compilation; made by [`configure`], used up by [`compile`](Self::compile).
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is compiled until `compile` is called"]
pub struct Builder {
    options: Options,
}

/// The same options as plain data, for the stages below.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) include_file: Option<PathBuf>,
    pub(crate) type_attributes: Vec<(String, String)>,
    pub(crate) field_attributes: Vec<(String, String)>,
    pub(crate) bytes: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: true,
            server: true,
            out_dir: None,
            include_file: None,
            type_attributes: Vec::new(),
            field_attributes: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

impl Builder {
    /// Whether to write a client (`GreeterClient`) for each service; default `true`.
    ///
    /// It needs the feature `client` of `trunkline`.
    pub fn build_client(mut self, yes: bool) -> Self {
        self.options.client = yes;
        self
    }

    /// Whether to write a trait and a server (`Greeter`, `GreeterServer`) for each service; default `true`.
    ///
    /// It needs the feature `server` of `trunkline`.
    pub fn build_server(mut self, yes: bool) -> Self {
        self.options.server = yes;
        self
    }

    /// The folder that the Rust files go to, made if it is missing; default `OUT_DIR`.
    ///
    /// For generated code that is checked in. A file whose text has not changed is not written again.
    pub fn out_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.out_dir = Some(path.into());
        self
    }

    /// Also writes a file of this name that holds the tree of modules, one for each package.
    ///
    /// With it one `include!` is enough for any number of packages, and packages that import each
    /// other find each other, because the tree has the shape that their paths count on.
    pub fn include_file(mut self, name: impl Into<PathBuf>) -> Self {
        self.options.include_file = Some(name.into());
        self
    }

    /// Puts an attribute on the messages, enums and oneofs that `path` matches.
    ///
    /// Shape: a path starts with a dot and names a package, a message or an enum (`".guide.Point"`,
    /// `"."` for all); without the dot it matches the end of a name. The attribute is Rust text,
    /// `"#[derive(Eq)]"`.
    pub fn type_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.options
            .type_attributes
            .push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on the fields and enum values that `path` matches (`".guide.Point.latitude"`).
    ///
    /// Shape: as [`type_attribute`](Self::type_attribute).
    pub fn field_attribute(
        mut self,
        path: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.options
            .field_attributes
            .push((path.into(), attribute.into()));
        self
    }

    /// Makes the `bytes` fields that a path matches `Bytes`, which share the receive buffer, and not `Vec<u8>`.
    ///
    /// Shape: paths as in [`type_attribute`](Self::type_attribute); `["."]` for every field.
    pub fn bytes<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.options.bytes.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Reads the files and everything they import, and writes one Rust file for each package.
    ///
    /// Shape: `protos` lie below one of `includes`, or are named relative to one; imports are looked
    /// up in `includes` in order, then among the well-known files that are built in. Inside a build
    /// script it tells Cargo to run again when one of the files read has changed.
    ///
    /// Errors: [`Error`], whose text starts with `file:line:column` where a file is to blame. Its
    /// `Debug` text is the same, so `fn main() -> Result<(), …>` shows it too.
    pub fn compile(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let protos: Vec<&Path> = protos.iter().map(AsRef::as_ref).collect();
        let includes: Vec<PathBuf> = includes.iter().map(|p| p.as_ref().to_owned()).collect();
        let folder = output::folder(self.options.out_dir.as_deref())?;
        let sources = compile::load(&protos, &includes)?;
        let packages = generate::packages(&self.options, sources.files)?;
        output::write(&folder, self.options.include_file.as_deref(), &packages)?;
        output::tell_cargo(&sources.read);
        Ok(())
    }
}
