//! Finds valid protobuf that has no valid Rust, before prost-build panics over it or rustc gets lost in it.

use std::collections::{HashMap, HashSet};

use prost_build::Module;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::error::{Error, Problem};
use crate::externs::Externs;
use crate::names::{snake, upper_camel, variant};
use crate::survey::{self, Places, indexed, join};

/// What is known about all files while one of them is checked.
pub(crate) struct Checks<'a> {
    pub(crate) externs: &'a Externs,
    pub(crate) places: &'a Places,
    pub(crate) enum_prefix: bool,
    /// The packages of all files.
    pub(crate) packages: HashSet<Module>,
    /// Types of packages that are left out.
    pub(crate) skipped: HashSet<String>,
}

impl Checks<'_> {
    /// Checks the files that code is generated for.
    pub(crate) fn run<'f>(
        &self,
        files: impl Iterator<Item = &'f FileDescriptorProto>,
    ) -> Result<(), Error> {
        let mut scopes: HashMap<String, Names> = HashMap::new();
        let mut problems = Vec::new();
        for file in files {
            let package = survey::scope(file);
            let mut checked = Checked {
                all: self,
                file,
                problems: &mut problems,
            };
            let types = scopes.entry(package.clone()).or_default();
            checked.file(&package, types);
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::Unsupported { problems })
        }
    }
}

/// Rust names in one namespace, with the protobuf name that took each.
type Names = HashMap<String, String>;

struct Checked<'a, 'f> {
    all: &'a Checks<'a>,
    file: &'f FileDescriptorProto,
    problems: &'a mut Vec<Problem>,
}

impl Checked<'_, '_> {
    fn file(&mut self, scope: &str, types: &mut Names) {
        let module = Module::from_protobuf_package_name(self.file.package());
        for (at, message) in indexed(&self.file.message_type) {
            self.claim(
                types,
                upper_camel(message.name()),
                message.name(),
                &[4, at],
                "type",
            );
            self.module(&module, message, &[4, at]);
            self.message(message, scope, &[4, at]);
        }
        for (at, item) in indexed(&self.file.enum_type) {
            self.claim(
                types,
                upper_camel(item.name()),
                item.name(),
                &[5, at],
                "type",
            );
            self.variants(item, scope, &[5, at]);
        }
        for (at, service) in indexed(&self.file.service) {
            for (index, method) in indexed(&service.method) {
                for name in [method.input_type(), method.output_type()] {
                    self.reachable(name, &[6, at, 2, index]);
                }
            }
        }
    }

    /// A message with something inside has a module, which may not be that of a package.
    fn module(&mut self, parent: &Module, message: &DescriptorProto, path: &[i32]) {
        let maps = message
            .nested_type
            .iter()
            .filter(|m| is_map_entry(m))
            .count();
        let inside =
            message.nested_type.len() - maps + message.enum_type.len() + message.oneof_decl.len();
        let name = snake(message.name());
        let module = Module::from_parts(parent.parts().chain([name.as_str()]));
        let taken = self.all.packages.iter().any(|package| {
            package.len() >= module.len()
                && package.parts().zip(module.parts()).all(|(a, b)| a == b)
        });
        if inside > 0 && taken {
            let package = module.parts().collect::<Vec<_>>().join(".");
            self.report(
                path,
                format!(
                    "what is inside the message `{}` would be in the Rust module `{name}`, which is also the package `{package}`; rename one of them",
                    message.name(),
                ),
            );
        }
    }

    fn message(&mut self, message: &DescriptorProto, scope: &str, path: &[i32]) {
        let full_name = format!("{scope}.{}", message.name());
        if self.all.externs.cover(&full_name) {
            return;
        }
        let (mut fields, mut types, mut modules) = (Names::new(), Names::new(), Names::new());
        let mut oneofs: HashMap<i32, Names> = HashMap::new();
        for (at, field) in indexed(&message.field) {
            let path = join(path, 2, at);
            match field.oneof_index.filter(|_| !field.proto3_optional()) {
                Some(oneof) => {
                    let variants = oneofs.entry(oneof).or_default();
                    let name = upper_camel(field.name());
                    self.claim(variants, name, field.name(), &path, "variant");
                }
                None => self.claim(
                    &mut fields,
                    snake(field.name()),
                    field.name(),
                    &path,
                    "field",
                ),
            }
            self.reachable(field.type_name(), &path);
        }
        for (at, oneof) in indexed(&message.oneof_decl) {
            if oneofs.contains_key(&at) {
                let name = snake(oneof.name());
                self.claim(&mut fields, name, oneof.name(), &join(path, 8, at), "field");
            }
        }
        for (at, nested) in indexed(&message.nested_type) {
            if is_map_entry(nested) {
                for field in &nested.field {
                    self.reachable(field.type_name(), path);
                }
                continue;
            }
            let path = join(path, 3, at);
            let name = nested.name();
            self.claim(&mut types, upper_camel(name), name, &path, "type");
            self.claim(&mut modules, snake(name), name, &path, "module");
            self.message(nested, &full_name, &path);
        }
        for (at, item) in indexed(&message.enum_type) {
            let path = join(path, 4, at);
            self.claim(
                &mut types,
                upper_camel(item.name()),
                item.name(),
                &path,
                "type",
            );
            self.variants(item, &full_name, &path);
        }
    }

    fn variants(&mut self, item: &EnumDescriptorProto, scope: &str, path: &[i32]) {
        if self.all.externs.cover(&format!("{scope}.{}", item.name())) {
            return;
        }
        let (mut numbers, mut names) = (HashSet::new(), Names::new());
        for (at, value) in indexed(&item.value) {
            // Of several names for one number Rust has the first.
            if numbers.insert(value.number()) {
                let name = variant(item.name(), value.name(), self.all.enum_prefix);
                self.claim(
                    &mut names,
                    name,
                    value.name(),
                    &join(path, 2, at),
                    "variant",
                );
            }
        }
    }

    fn claim(&mut self, names: &mut Names, rust: String, proto: &str, path: &[i32], what: &str) {
        if !proto.contains(|c: char| c.is_ascii_alphanumeric()) {
            let text = format!("`{proto}` has no letter that a Rust {what} could be named by");
            self.report(path, text);
        } else if let Some(other) = names.get(&rust) {
            let hint = if what == "variant" && !self.all.enum_prefix {
                "; rename one, or keep the enum's name in front with retain_enum_prefix"
            } else {
                "; rename one"
            };
            let text =
                format!("`{other}` and `{proto}` would both be the Rust {what} `{rust}`{hint}");
            self.report(path, text);
        } else {
            names.insert(rust, proto.to_owned());
        }
    }

    fn reachable(&mut self, type_name: &str, path: &[i32]) {
        if self.all.skipped.contains(type_name) && !self.all.externs.cover(type_name) {
            let name = type_name.trim_start_matches('.');
            self.report(
                path,
                format!(
                    "uses `{name}`, whose package skip_package leaves out; extern_path can tell its Rust type"
                ),
            );
        }
    }

    fn report(&mut self, path: &[i32], message: String) {
        let problem = survey::problem(self.file, self.all.places, path, message);
        self.problems.push(problem);
    }
}

/// Whether a nested message is only how descriptors spell a map field.
pub(crate) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|o| o.map_entry())
}
