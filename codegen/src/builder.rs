//! What a build script says: options, and the two ways to start.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::compile;
use crate::crates::{self, Imported};
use crate::error::Error;
use crate::generate::{self, Input};
use crate::options::{Attribute, Options, Target};
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
///
/// Several options take a **path** to say where they apply. It begins with a dot and names a package, a
/// type or a field (`".guide"`, `".guide.Point"`, `".guide.Point.latitude"`), and then means that and
/// everything inside; `"."` is everything. Without the dot it is the end of a name (`"latitude"`,
/// `"Point.latitude"`). A path that matches nothing is a warning of the build.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is compiled until `compile` is called"]
pub struct Builder {
    pub(crate) options: Options,
}

/// What is generated, and where.
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

    /// Whether generated servers have the descriptors of their files, for server reflection; default `true`.
    ///
    /// They are a few hundred bytes per file, in the program only if its feature `reflection` is on, and
    /// told to clients only by a server that says so.
    pub fn build_descriptors(mut self, yes: bool) -> Self {
        self.options.descriptors = yes;
        self
    }

    /// The crate that generated code builds on; default `"::trunkline"`.
    ///
    /// `"::trunkline_client"` goes with `build_server(false)`, `"::trunkline_server"` with
    /// `build_client(false)`: a crate that only calls, or only serves, then needs nothing else. A crate
    /// that re-exports one of the three is right as well (`"crate::rpc::trunkline"`). Besides it
    /// generated code needs no other crate, prost included.
    ///
    /// Shape: an absolute path; `::` in front may be left out.
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.options.runtime = path.into();
        self
    }

    /// The folder that the Rust files go to, made if it is missing; default `OUT_DIR`.
    ///
    /// For generated code that is checked in. A file whose text has not changed is not written again,
    /// and none is ever removed.
    pub fn out_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.out_dir = Some(path.into());
        self
    }

    /// The name of the file with the tree of modules, one for each package; default `"mod.rs"`.
    ///
    /// One `include!` of it is enough for any number of packages, and packages that import each other
    /// find each other, because the tree has the shape that their paths count on.
    /// `trunkline::include_protos!()` includes the default one, `trunkline::include_protos!("all.rs")`
    /// another. Set it where one build script compiles twice.
    pub fn include_file(mut self, name: impl Into<PathBuf>) -> Self {
        self.options.include_file = Some(name.into());
        self
    }

    /// Also writes a file of this name with the descriptors of all files, imported ones included; default none.
    ///
    /// Shape: an encoded `google.protobuf.FileDescriptorSet` without comments. The include file then
    /// has it as the constant `FILE_DESCRIPTOR_SET`. Server reflection does without: generated servers
    /// [bring their files](Self::build_descriptors). It is for what they do not reach, and for tools.
    pub fn descriptor_set(mut self, name: impl Into<PathBuf>) -> Self {
        self.options.descriptor_set = Some(name.into());
        self
    }

    /// Writes nothing for a package (`".google.api"`) whose files others import, say for their options.
    /// Packages inside of it are others.
    ///
    /// Errors: a message or method that uses one of its types, unless [`extern_path`](Self::extern_path)
    /// tells where that is, makes [`compile`](Self::compile) fail and is named.
    pub fn skip_package(mut self, package: impl Into<String>) -> Self {
        self.options.skipped.push(package.into());
        self
    }

    /// Leaves out the comments of what these paths match; what is left is a line with the name.
    pub fn disable_comments<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        let paths = paths.into_iter().map(Into::into);
        self.options.no_comments.extend(paths);
        self
    }
}

/// Types that are elsewhere.
impl Builder {
    /// Says that a package or a type has its Rust code elsewhere: nothing is generated for it.
    ///
    /// Shape: the full name with a dot in front, and an absolute Rust path; for a package that of its
    /// module: `extern_path(".common", "::common_protos::common")`. The longest name wins. A Rust type
    /// must have what prost would derive for it, `Copy`, `Eq` and `Hash` included.
    pub fn extern_path(mut self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        self.options.extern_paths.push((proto.into(), rust.into()));
        self
    }

    /// Tells the build scripts of dependents which files were compiled here, and where their types are.
    ///
    /// `root` is the module that includes the generated code, as dependents write it:
    /// `"::common_protos::pb"`. The crate needs a `links` key, `links = "common_protos"`: through it
    /// Cargo passes the news on to direct dependents, whose scripts call
    /// [`import_protos`](Self::import_protos). One compilation of a build script can export.
    pub fn export_protos(mut self, root: impl Into<String>) -> Self {
        self.options.export = Some(root.into());
        self
    }

    /// Uses the messages of a crate that has called [`export_protos`](Self::export_protos).
    ///
    /// Its include paths are searched after those of [`compile`](Self::compile), and its types are not
    /// generated again: each has an [`extern_path`](Self::extern_path).
    ///
    /// Shape: `links` is what that crate's Cargo.toml has under this key; the crate must be among the
    /// `[dependencies]`, not the `[build-dependencies]`.
    pub fn import_protos(mut self, links: impl Into<String>) -> Self {
        self.options.imports.push(links.into());
        self
    }

    /// Generates the well-known types that are used, where the default are those of Rust and prost-types.
    ///
    /// Then `google.protobuf.Timestamp` is a type of yours, on which you can put attributes and traits.
    /// Single ones are replaced by [`extern_path`](Self::extern_path).
    pub fn compile_well_known_types(mut self) -> Self {
        self.options.well_known_types = true;
        self
    }
}

/// The shape of messages.
impl Builder {
    /// Puts an attribute on the messages, enums and oneofs that `path` matches.
    ///
    /// Shape: the attribute is Rust text, `"#[serde(default)]"`.
    pub fn type_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Type, path.into(), attribute.into())
    }

    /// Puts an attribute on the messages that `path` matches.
    pub fn message_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Message, path.into(), attribute.into())
    }

    /// Puts an attribute on the enums and oneofs that `path` matches.
    pub fn enum_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Enum, path.into(), attribute.into())
    }

    /// Puts an attribute on the fields and enum values that `path` matches (`".guide.Point.latitude"`).
    pub fn field_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Field, path.into(), attribute.into())
    }

    /// Derives more traits for the messages, enums and oneofs that `path` matches.
    ///
    /// Shape: as in the attribute, `"serde::Serialize, serde::Deserialize"`. What prost derives already
    /// (`Clone`, `PartialEq`, `Debug`; `Eq`, `Hash` and `Copy` where all fields allow it) is an error of rustc.
    pub fn derive(self, path: impl Into<String>, traits: impl AsRef<str>) -> Self {
        let attribute = format!("#[derive({})]", traits.as_ref());
        self.attribute(Target::Type, path.into(), attribute)
    }

    /// Makes the `bytes` fields that a path matches `Bytes`, which share the receive buffer, and not `Vec<u8>`.
    pub fn bytes<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.options.bytes.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Makes the `map` fields that a path matches a `BTreeMap`, which has an order, and not a `HashMap`.
    pub fn btree_map<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        let paths = paths.into_iter().map(Into::into);
        self.options.btree_map.extend(paths);
        self
    }

    /// Puts the message fields that `path` matches into a `Box`; recursive ones have it already.
    ///
    /// For a large message in a oneof whose other variants are small.
    pub fn boxed(mut self, path: impl Into<String>) -> Self {
        self.options.boxed.push(path.into());
        self
    }

    /// Leaves the names of enum values as they are: `Kind::KindHouse`, where the default is `Kind::House`.
    pub fn retain_enum_prefix(mut self) -> Self {
        self.options.enum_prefix = true;
        self
    }

    /// Whether messages know their full names (`impl prost::Name`); default `true`.
    ///
    /// By it `Any::from_msg` and `Any::to_msg` pack and unpack them.
    pub fn type_names(mut self, yes: bool) -> Self {
        self.options.type_names = yes;
        self
    }
}

/// The items of services.
impl Builder {
    /// Puts an attribute on the handler traits of the services that `path` matches (`".guide.Guide"`).
    pub fn trait_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Trait, path.into(), attribute.into())
    }

    /// Puts an attribute on the client types of the services that `path` matches.
    pub fn client_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Client, path.into(), attribute.into())
    }

    /// Puts an attribute on the server types of the services that `path` matches.
    pub fn server_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Target::Server, path.into(), attribute.into())
    }
}

/// The end.
impl Builder {
    /// Reads the files and everything they import, and writes one Rust file for each package.
    ///
    /// Shape: `protos` lie below one of `includes`, or are named relative to one; imports are looked
    /// up in `includes` in order, then among the well-known files that are built in. Inside a build
    /// script it tells Cargo to run again when one of the files read has changed, and no other.
    ///
    /// Errors: [`Error`], whose text starts with `file:line:column` where a file is to blame. Its
    /// `Debug` text is the same, so `fn main() -> Result<(), …>` shows it too. Nothing is written then.
    pub fn compile(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let options = self.options.checked()?;
        let folder = output::folder(options.out_dir.as_deref())?;
        let imported = Imported::read(&options.imports)?;
        let protos: Vec<&Path> = protos.iter().map(AsRef::as_ref).collect();
        let own: Vec<PathBuf> = includes.iter().map(|p| p.as_ref().to_owned()).collect();
        let all: Vec<PathBuf> = own.iter().chain(&imported.includes).cloned().collect();
        let mut sources = compile::load(&protos, &all)?;
        let descriptors = sources.descriptors()?;
        let set = options
            .descriptor_set
            .is_some()
            .then(|| sources.descriptor_set(&descriptors));
        let mut read: BTreeSet<PathBuf> = sources.places.values().cloned().collect();
        read.extend(imported.read.iter().cloned());
        let generated = generate::generate(
            &options,
            Input {
                files: sources.files,
                places: sources.places,
                descriptors,
                chosen: None,
                imported: imported.types.clone(),
            },
        )?;
        let files = output::files(&options, generated.packages, set)?;
        output::write(&folder, &files)?;
        let mut more = String::new();
        if let Some(root) = &options.export {
            let (path, line) = crates::export_to(&folder);
            let text = imported.export(root, &own, &generated.types);
            output::write_file(&path, text.as_bytes())?;
            more = line;
        }
        output::tell_cargo(&read, &generated.warnings, &more);
        Ok(())
    }

    fn attribute(mut self, target: Target, path: String, text: String) -> Self {
        let attribute = Attribute { target, path, text };
        self.options.attributes.push(attribute);
        self
    }
}
