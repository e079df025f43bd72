//! Finds valid protobuf that has no valid Rust, before prost-build panics over it or rustc gets lost in it.

use std::collections::{HashMap, HashSet};

use prost_build::Module;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use crate::accessors::{self, Accessors};
use crate::error::{Error, Problem};
use crate::externs::Externs;
use crate::names::{prost_snake, snake, upper_camel, variant};
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
        // By the module: two packages may become one.
        let mut scopes: HashMap<Module, Scope> = HashMap::new();
        let mut problems = Vec::new();
        for file in files {
            let package = survey::scope(file);
            let mut checked = Checked {
                all: self,
                file,
                problems: &mut problems,
            };
            let module = Module::from_protobuf_package_name(file.package());
            let scope = scopes.entry(module).or_default();
            checked.file(&package, scope);
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

/// What messages and enums take in a module.
#[derive(Default)]
struct Scope {
    types: Names,
    modules: Names,
}

struct Checked<'a, 'f> {
    all: &'a Checks<'a>,
    file: &'f FileDescriptorProto,
    problems: &'a mut Vec<Problem>,
}

impl Checked<'_, '_> {
    fn file(&mut self, package: &str, scope: &mut Scope) {
        let module = Module::from_protobuf_package_name(self.file.package());
        if module.parts().any(str::is_empty) && self.all.packages.contains(&module) {
            let package = self.file.package();
            let text = format!(
                "a part of the package `{package}` has no letter that a Rust module could be named by"
            );
            self.report(&[2], text);
        }
        for (at, message) in indexed(&self.file.message_type) {
            if self.is_elsewhere(package, message.name()) {
                continue;
            }
            self.type_and_module(scope, message, &[4, at]);
            self.package_module(&module, message, &[4, at]);
            self.message(message, package, &[4, at]);
        }
        for (at, item) in indexed(&self.file.enum_type) {
            self.item(item, package, &mut scope.types, &[5, at]);
        }
        for (at, service) in indexed(&self.file.service) {
            for (index, method) in indexed(&service.method) {
                for name in [method.input_type(), method.output_type()] {
                    self.reachable(name, &[6, at, 2, index]);
                }
            }
        }
    }

    fn is_elsewhere(&self, scope: &str, name: &str) -> bool {
        self.all.externs.cover(&format!("{scope}.{name}"))
    }

    fn type_and_module(&mut self, scope: &mut Scope, message: &DescriptorProto, path: &[i32]) {
        let name = message.name();
        let is_new = self.claim(&mut scope.types, upper_camel(name), name, path, "type");
        if is_new && has_inside(message) {
            let module = prost_snake(name);
            if module == upper_camel(name) {
                let text = format!(
                    "the Rust type of `{name}` and the module of what is inside it would both be `{module}`; rename it"
                );
                self.report(path, text);
            }
            self.claim(&mut scope.modules, module, name, path, "module");
        }
    }

    /// A message with something inside has a module, which may not be that of a package.
    fn package_module(&mut self, parent: &Module, message: &DescriptorProto, path: &[i32]) {
        let name = snake(message.name());
        let module = Module::from_parts(parent.parts().chain([name.as_str()]));
        let taken = self.all.packages.iter().any(|package| {
            package.len() >= module.len()
                && package.parts().zip(module.parts()).all(|(a, b)| a == b)
        });
        if has_inside(message) && taken {
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
        let (mut fields, mut inside) = (Names::new(), Scope::default());
        let mut oneofs: HashMap<i32, Names> = HashMap::new();
        for (at, field) in indexed(&message.field) {
            let path = join(path, 2, at);
            match field.oneof_index.filter(|_| !field.proto3_optional()) {
                Some(oneof) => {
                    let variants = oneofs.entry(oneof).or_default();
                    let name = upper_camel(field.name());
                    self.claim(variants, name, field.name(), &path, "variant");
                }
                None => {
                    let name = snake(field.name());
                    self.claim(&mut fields, name, field.name(), &path, "field");
                }
            }
            self.reachable(field.type_name(), &path);
        }
        let mut enums = Vec::new();
        for (at, oneof) in indexed(&message.oneof_decl) {
            let (name, path) = (snake(oneof.name()), join(path, 8, at));
            if oneofs.contains_key(&at)
                && self.claim(&mut fields, name, oneof.name(), &path, "field")
            {
                enums.push((oneof, path));
            }
        }
        self.accessors(message, &full_name, path);
        for (at, nested) in indexed(&message.nested_type) {
            if is_map_entry(nested) {
                for field in &nested.field {
                    self.reachable(field.type_name(), path);
                }
            }
            if is_map_entry(nested) || self.is_elsewhere(&full_name, nested.name()) {
                continue;
            }
            let path = join(path, 3, at);
            self.type_and_module(&mut inside, nested, &path);
            self.message(nested, &full_name, &path);
        }
        for (at, item) in indexed(&message.enum_type) {
            let path = join(path, 4, at);
            self.item(item, &full_name, &mut inside.types, &path);
        }
        let mut taken = HashSet::new();
        for (oneof, path) in enums {
            let mut name = upper_camel(oneof.name());
            if inside.types.contains_key(&name) && !taken.contains(&name) {
                // prost-build lets it give way to what else is inside.
                name.push_str("OneOf");
            }
            taken.insert(name.clone());
            self.claim(&mut inside.types, name, oneof.name(), &path, "type");
        }
    }

    /// The methods of a message's fields share one namespace.
    fn accessors(&mut self, message: &DescriptorProto, full_name: &str, path: &[i32]) {
        let explicit = self.file.syntax() != "proto3";
        let mut methods = Names::new();
        for (at, field) in indexed(&message.field) {
            let name = field.name();
            let path = join(path, 2, at);
            match accessors::of(field, message, full_name, explicit) {
                Accessors::Unnameable => self.report(
                    &path,
                    format!(
                        "the map `{name}` has enums for values and a Rust keyword for a name, which prost cannot make methods of; rename it"
                    ),
                ),
                Accessors::Named(names) => {
                    for method in names {
                        if let Some(other) = methods.insert(method.clone(), name.to_owned()) {
                            self.report(
                                &path,
                                format!(
                                    "`{other}` and `{name}` would both have the Rust method `{method}`, which prost derives for such fields; rename one"
                                ),
                            );
                        }
                    }
                }
            }
        }
    }

    fn item(&mut self, item: &EnumDescriptorProto, scope: &str, types: &mut Names, path: &[i32]) {
        if self.is_elsewhere(scope, item.name()) {
            return;
        }
        let name = upper_camel(item.name());
        self.claim(types, name, item.name(), path, "type");
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

    /// Takes a name, or complains; whether it was free.
    fn claim(
        &mut self,
        names: &mut Names,
        rust: String,
        proto: &str,
        path: &[i32],
        what: &str,
    ) -> bool {
        if !proto.contains(|c: char| c.is_ascii_alphanumeric()) {
            let text = format!("`{proto}` has no letter that a Rust {what} could be named by");
            self.report(path, text);
        } else if let Some(other) = names.get(&rust).filter(|other| *other == proto) {
            let package = self.file.package();
            let text = format!(
                "the package `{package}` and another one would be one Rust module, and both have a `{other}`; rename one"
            );
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
            return true;
        }
        false
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

/// Whether prost-build makes a module for what is inside.
fn has_inside(message: &DescriptorProto) -> bool {
    let is_oneof = |at: i32| {
        let of_it = |field: &FieldDescriptorProto| field.oneof_index == Some(at);
        let mut fields = message.field.iter();
        fields.any(|field| of_it(field) && !field.proto3_optional())
    };
    message
        .nested_type
        .iter()
        .any(|nested| !is_map_entry(nested))
        || !message.enum_type.is_empty()
        || indexed(&message.oneof_decl).any(|(at, _)| is_oneof(at))
}

/// Whether a nested message is only how descriptors spell a map field.
pub(crate) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|o| o.map_entry())
}
