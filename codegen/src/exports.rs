//! What dependents may use: the Rust path of everything that a file defines.

use prost_build::Module;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::check::is_map_entry;
use crate::externs::Externs;
use crate::names::{prost_snake, upper_camel};
use crate::survey;

/// Full names of types and services, each with its path below the tree of modules.
///
/// Nested types have entries of their own, so that nobody derives a module's name from a path.
pub(crate) fn of(file: &FileDescriptorProto, externs: &Externs) -> Vec<(String, String)> {
    let module = Module::from_protobuf_package_name(file.package());
    let modules: String = module.parts().map(|part| format!("{part}::")).collect();
    let mut exports = Exports {
        externs,
        found: Vec::new(),
    };
    let scope = survey::scope(file);
    exports.messages(&file.message_type, &scope, &modules);
    exports.enums(&file.enum_type, &scope, &modules);
    for service in &file.service {
        exports.one(&scope, service.name(), &modules);
    }
    exports.found
}

struct Exports<'a> {
    externs: &'a Externs,
    found: Vec<(String, String)>,
}

impl Exports<'_> {
    fn messages(&mut self, messages: &[DescriptorProto], scope: &str, modules: &str) {
        for message in messages.iter().filter(|message| !is_map_entry(message)) {
            self.one(scope, message.name(), modules);
            let scope = format!("{scope}.{}", message.name());
            let modules = format!("{modules}{}::", prost_snake(message.name()));
            self.messages(&message.nested_type, &scope, &modules);
            self.enums(&message.enum_type, &scope, &modules);
        }
    }

    fn enums(&mut self, enums: &[EnumDescriptorProto], scope: &str, modules: &str) {
        for item in enums {
            self.one(scope, item.name(), modules);
        }
    }

    fn one(&mut self, scope: &str, name: &str, modules: &str) {
        let full_name = format!("{scope}.{name}");
        if !self.externs.cover(&full_name) {
            let rust = format!("{modules}{}", upper_camel(name));
            self.found.push((full_name, rust));
        }
    }
}
