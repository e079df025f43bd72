//! Emits what messages know of their names: `impl prost::Name`, by which `Any` packs and unpacks them.

use std::fmt::Write as _;

use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::check::is_map_entry;
use crate::externs::Externs;
use crate::names::{prost_snake, upper_camel};
use crate::survey;

/// What `Any` puts in front of a name, in every language.
const URL: &str = "type.googleapis.com/";

/// Writes the names of all messages of a file.
pub(crate) fn emit(file: &FileDescriptorProto, externs: &Externs, runtime: &str) -> String {
    let mut names = Names {
        prost: format!("{runtime}::codegen::prost"),
        package: file.package(),
        externs,
        out: String::new(),
    };
    for message in &file.message_type {
        names.message(message, &survey::scope(file), "");
    }
    names.out
}

struct Names<'a> {
    prost: String,
    package: &'a str,
    externs: &'a Externs,
    out: String,
}

impl Names<'_> {
    /// Writes those of a message and of all inside it; `module` is where it is, seen from the package.
    fn message(&mut self, message: &DescriptorProto, scope: &str, module: &str) {
        let name = message.name();
        let full_name = format!("{scope}.{name}");
        if is_map_entry(message) || self.externs.cover(&full_name) {
            return;
        }
        let (prost, package) = (&self.prost, self.package);
        let rust = upper_camel(name);
        let known = full_name.trim_start_matches('.');
        let _ = write!(
            self.out,
            "impl {prost}::Name for {module}{rust} {{
    const NAME: &'static str = {name:?};
    const PACKAGE: &'static str = {package:?};
    fn full_name() -> {prost}::alloc::string::String {{
        {known:?}.into()
    }}
    fn type_url() -> {prost}::alloc::string::String {{
        \"{URL}{known}\".into()
    }}
}}
"
        );
        let inside = format!("{module}{}::", prost_snake(name));
        for nested in &message.nested_type {
            self.message(nested, &full_name, &inside);
        }
    }
}
