//! What a caller chose, as plain data: parsed once, before anything is read or written.

use std::path::PathBuf;

use crate::error::Error;

/// The name of the include file unless another is chosen. No package's file has it: `mod` is a keyword,
/// so that package's file is `r#mod.rs`. As `mod.rs` it is a module without any `include!` where
/// generated code is checked in.
pub(crate) const INCLUDE_FILE: &str = "mod.rs";

/// Every option, as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) client: bool,
    pub(crate) server: bool,
    /// Whether servers have the descriptors of their files.
    pub(crate) descriptors: bool,
    /// The crate that has the module `codegen`.
    pub(crate) runtime: String,
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) include_file: Option<PathBuf>,
    pub(crate) descriptor_set: Option<PathBuf>,
    /// Protobuf path and Rust path.
    pub(crate) extern_paths: Vec<(String, String)>,
    pub(crate) well_known_types: bool,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) bytes: Vec<String>,
    pub(crate) btree_map: Vec<String>,
    pub(crate) boxed: Vec<String>,
    pub(crate) no_comments: Vec<String>,
    pub(crate) skipped: Vec<String>,
    pub(crate) enum_prefix: bool,
    pub(crate) type_names: bool,
    /// Where dependents find what is generated here.
    pub(crate) export: Option<String>,
    /// `links` names of the crates whose messages are used.
    pub(crate) imports: Vec<String>,
}

/// One attribute and what it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) target: Target,
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The kinds of items that attributes go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Type,
    Message,
    Enum,
    Field,
    Trait,
    Client,
    Server,
}

impl Target {
    /// The option that sets it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Type => "type_attribute",
            Self::Message => "message_attribute",
            Self::Enum => "enum_attribute",
            Self::Field => "field_attribute",
            Self::Trait => "trait_attribute",
            Self::Client => "client_attribute",
            Self::Server => "server_attribute",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: true,
            server: true,
            descriptors: true,
            runtime: "::trunkline".to_owned(),
            out_dir: None,
            include_file: Some(PathBuf::from(INCLUDE_FILE)),
            descriptor_set: None,
            extern_paths: Vec::new(),
            well_known_types: false,
            attributes: Vec::new(),
            bytes: Vec::new(),
            btree_map: Vec::new(),
            boxed: Vec::new(),
            no_comments: Vec::new(),
            skipped: Vec::new(),
            enum_prefix: false,
            type_names: true,
            export: None,
            imports: Vec::new(),
        }
    }
}

impl Options {
    /// The attributes for one kind of item, with their paths.
    pub(crate) fn attributes_of(&self, target: Target) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.target == target)
            .map(|attribute| (attribute.path.as_str(), attribute.text.as_str()))
    }

    /// Every path that is to match something, with the option that gave it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let attributes = self
            .attributes
            .iter()
            .map(|attribute| (attribute.target.option(), attribute.path.as_str()));
        let lists = [
            ("bytes", &self.bytes),
            ("btree_map", &self.btree_map),
            ("boxed", &self.boxed),
            ("disable_comments", &self.no_comments),
            ("skip_package", &self.skipped),
        ];
        let listed = lists
            .into_iter()
            .flat_map(|(option, paths)| paths.iter().map(move |path| (option, path.as_str())));
        attributes.chain(listed)
    }

    /// Finds what can never work, whatever the files hold, and brings Rust paths to one form.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        self.runtime = rust_path(&self.runtime)
            .map_err(|reason| refuse("runtime_path", &self.runtime, reason))?;
        for (proto, rust) in &mut self.extern_paths {
            proto_path(proto).map_err(|reason| refuse("extern_path", proto, reason))?;
            *rust = rust_path(rust).map_err(|reason| refuse("extern_path", rust, reason))?;
        }
        for package in &self.skipped {
            proto_path(package).map_err(|reason| refuse("skip_package", package, reason))?;
        }
        if let Some(path) = &mut self.export {
            *path = rust_path(path).map_err(|reason| refuse("export_protos", path, reason))?;
        }
        for attribute in &self.attributes {
            let text = attribute.text.trim();
            if !text.starts_with("#[") || !text.ends_with(']') {
                let reason = "an attribute begins with `#[` and ends with `]`";
                return Err(refuse(attribute.target.option(), &attribute.text, reason));
            }
        }
        if let Some((option, path)) = self.paths().find(|(_, path)| path.is_empty()) {
            let reason = "a path names a package, a type or a field; `.` means everything";
            return Err(refuse(option, path, reason));
        }
        for (option, name) in [
            ("include_file", &self.include_file),
            ("descriptor_set", &self.descriptor_set),
        ] {
            if let Some(name) = name
                && name.file_name() != Some(name.as_os_str())
            {
                let reason = "a file name is meant, without a folder";
                return Err(refuse(option, &name.display().to_string(), reason));
            }
        }
        Ok(self)
    }
}

fn refuse(option: &str, value: &str, reason: impl Into<String>) -> Error {
    Error::Option {
        option: format!("{option}({value:?})"),
        reason: reason.into(),
    }
}

/// A path that is absolute wherever it is written: `::krate::module`, `crate::module`, or a type that
/// every module knows.
fn rust_path(path: &str) -> Result<String, &'static str> {
    let path = path.trim();
    let plain = path.strip_prefix("::").unwrap_or(path);
    let segment = |part: &str| {
        let part = part.strip_prefix("r#").unwrap_or(part);
        let mut letters = part.chars();
        letters
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && letters.all(|c| c.is_alphanumeric() || c == '_')
    };
    const EVERYWHERE: [&str; 8] = ["()", "bool", "f32", "f64", "i32", "i64", "u32", "u64"];
    if EVERYWHERE.contains(&path) {
        return Ok(path.to_owned());
    }
    // Arguments of a generic type are the caller's business.
    let names = plain.split('<').next().unwrap_or_default();
    if !names.split("::").all(segment) {
        return Err("this is no Rust path");
    }
    match plain.split("::").next() {
        Some("self" | "super") => {
            Err("it is used in several modules: begin with `crate::` or a crate's name")
        }
        Some("crate") if path != plain => Err("`::crate` does not exist; write `crate::`"),
        Some("crate") => Ok(plain.to_owned()),
        _ => Ok(format!("::{plain}")),
    }
}

/// A name in full: `.shop.Money`.
fn proto_path(path: &str) -> Result<(), &'static str> {
    match path.strip_prefix('.') {
        None => Err("the name of a package or type begins with a dot here, as in \".shop.Money\""),
        Some(names) if names.split('.').any(str::is_empty) => {
            Err("a name between two dots is missing")
        }
        Some(_) => Ok(()),
    }
}

/// Whether the path that an option was given matches a full name (`.shop.Money.units`).
///
/// As prost-build matches: the whole name, its end, the beginning up to a dot, or `.`.
pub(crate) fn matches(path: &str, full_name: &str) -> bool {
    let ends = |name: &str| {
        name.strip_suffix(path)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let begins = |name: &str| {
        name.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    path == "." || (path.starts_with('.') && begins(full_name)) || ends(full_name)
}

#[cfg(test)]
mod tests {
    use super::{Options, matches, rust_path};

    #[test]
    fn rust_paths_are_made_absolute() {
        for (given, absolute) in [
            ("trunkline_client", "::trunkline_client"),
            ("::a::b", "::a::b"),
            ("a::b", "::a::b"),
            ("crate::pb", "crate::pb"),
            ("bool", "bool"),
            ("()", "()"),
            ("::std::vec::Vec<u8>", "::std::vec::Vec<u8>"),
        ] {
            assert_eq!(rust_path(given), Ok(absolute.to_owned()));
        }
        for bad in ["", "::", "a b", "super::a", "self::a", "a::", "::crate::a"] {
            rust_path(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_path_matches_whole_names_ends_and_beginnings() {
        for (path, name, yes) in [
            (".", ".a.B.c", true),
            (".a", ".a.B.c", true),
            (".a.B", ".a.B.c", true),
            (".a.B.c", ".a.B.c", true),
            ("c", ".a.B.c", true),
            ("B.c", ".a.B.c", true),
            ("a.B", ".a.B.c", false),
            (".a", ".ab.B", false),
            ("b", ".ab", false),
            ("B", ".a.B.c", false),
        ] {
            assert_eq!(matches(path, name), yes, "{path} {name}");
        }
    }

    #[test]
    fn what_can_never_work_names_its_option() {
        let mut options = Options::default();
        options
            .extern_paths
            .push(("common".to_owned(), "::common".to_owned()));
        let error = options.checked().unwrap_err().to_string();
        assert!(error.starts_with("extern_path(\"common\"): "), "{error}");
    }
}
