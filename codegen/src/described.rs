//! Emits what server reflection is told: a constant for each file that a service needs.
//!
//! A file's constant is in the module of its package and names those of its imports, so that a change of one file
//! changes the text of its own package alone. It names only what is in packages that its own uses anyway: any other
//! import, say one for its options, has a constant in each package that imports it, so that a package can still be
//! included without those that its code does not need. So has a file that is generated elsewhere, or nowhere.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost_build::Module;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::format::Writer;
use crate::names::Scope;
use crate::services::full_name;

/// Encoded descriptors without comments, by the name of their file.
pub(crate) type Descriptors = BTreeMap<String, Vec<u8>>;

/// The field of `FileDescriptorProto` with the comments and places.
const SOURCE_CODE_INFO: u32 = 9;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// Text for the modules of packages.
    pub(crate) texts: HashMap<Module, String>,
    /// The constant of each service's file, by the service's full name; it is in the same module.
    pub(crate) services: HashMap<String, String>,
}

/// Writes the constants of all files that services need.
///
/// `files` has imported ones before those that import them; `exports` tells the full names of what else is generated
/// here of a file.
pub(crate) fn emit(
    files: &[FileDescriptorProto],
    descriptors: &Descriptors,
    exports: impl Fn(&FileDescriptorProto) -> Vec<String>,
    runtime: &str,
) -> Described {
    let mut owners = HashMap::new();
    let mut generated = HashSet::new();
    for file in files {
        for name in exports(file) {
            generated.insert(file.name());
            owners.insert(name, module_of(file));
        }
    }
    let coded = files.iter().filter(|file| generated.contains(file.name()));
    let uses = uses(coded, &owners);
    let mut needed: BTreeMap<&str, &FileDescriptorProto> = BTreeMap::new();
    let mut imports = HashSet::new();
    // Backwards, each file comes before those that it imports.
    for file in files.iter().rev() {
        if !file.service.is_empty() || imports.contains(file.name()) {
            imports.extend(file.dependency.iter().map(String::as_str));
            needed.insert(file.name(), file);
        }
    }
    // In the order of their names, not in that of the command line.
    let here = needed.values().copied();
    let here = here.filter(|file| generated.contains(file.name()));
    let here: Vec<&FileDescriptorProto> = here.collect();
    let mut constants = Constants {
        needed,
        descriptors,
        runtime,
        uses,
        scopes: HashMap::new(),
        homes: HashMap::new(),
        guests: HashMap::new(),
        texts: HashMap::new(),
    };
    // The include file has it at the top, where files without a package have theirs.
    let top = constants
        .scopes
        .entry(Module::from_protobuf_package_name(""));
    top.or_default().reserve("FILE_DESCRIPTOR_SET");
    let mut services = HashMap::new();
    for file in &here {
        let module = module_of(file);
        let name = constants.claim(&module, file);
        for service in &file.service {
            services.insert(full_name(file.package(), service.name()), name.clone());
        }
        constants.homes.insert(file.name(), (module, name));
    }
    for file in here {
        if let Some((module, name)) = constants.homes.get(file.name()).cloned() {
            constants.write(&module, &name, file);
        }
    }
    Described {
        texts: constants.texts,
        services,
    }
}

struct Constants<'a> {
    needed: BTreeMap<&'a str, &'a FileDescriptorProto>,
    descriptors: &'a Descriptors,
    runtime: &'a str,
    /// Which package's code needs which other package.
    uses: HashSet<(Module, Module)>,
    /// The names that are taken in each module.
    scopes: HashMap<Module, Scope>,
    /// The constants of files that are generated here.
    homes: HashMap<&'a str, (Module, String)>,
    /// The names of the constants of all others, by who imports them.
    guests: HashMap<(Module, &'a str), String>,
    texts: HashMap<Module, String>,
}

impl<'a> Constants<'a> {
    fn claim(&mut self, module: &Module, file: &FileDescriptorProto) -> String {
        let stem = file.name().trim_end_matches(".proto");
        let letters = stem.chars().map(|c| match c.to_ascii_uppercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        });
        let name = format!("FILE_{}", letters.collect::<String>());
        self.scopes.entry(module.clone()).or_default().claim(&name)
    }

    fn write(&mut self, module: &Module, name: &str, file: &'a FileDescriptorProto) {
        let Some(bytes) = self.descriptors.get(file.name()) else {
            return;
        };
        let mut imports = Vec::with_capacity(file.dependency.len());
        for import in &file.dependency {
            imports.extend(self.path(module, import));
        }
        let rt = self.runtime;
        let mut out = Writer::default();
        out.docs(&[format!("File `{}`, for server reflection.", file.name())]);
        out.add(&format!(
            "#[doc(hidden)]
             pub const {name}: {rt}::FileDescriptor = {rt}::FileDescriptor::new(
             b\"{}\",",
            bytes.escape_ascii()
        ));
        if imports.is_empty() {
            out.add("&[],");
        } else {
            out.add("&[");
            for import in imports {
                out.add(&format!("&{import},"));
            }
            out.add("],");
        }
        out.add(");\n\n");
        let text = self.texts.entry(module.clone()).or_default();
        text.push_str(&out.finish());
    }

    /// A file's constant as seen from this module; it is written there if the file is from elsewhere.
    fn path(&mut self, from: &Module, import: &str) -> Option<String> {
        let (&import, &file) = self.needed.get_key_value(import)?;
        if let Some((home, name)) = self.homes.get(import)
            && (from == home || self.uses.contains(&(from.clone(), home.clone())))
        {
            return Some(format!("{}{name}", way(from, home)));
        }
        let key = (from.clone(), import);
        if let Some(name) = self.guests.get(&key) {
            return Some(name.clone());
        }
        self.descriptors.get(import)?;
        let name = self.claim(from, file);
        self.guests.insert(key, name.clone());
        self.write(from, &name, file);
        Some(name)
    }
}

fn module_of(file: &FileDescriptorProto) -> Module {
    Module::from_protobuf_package_name(file.package())
}

/// Which packages name types of which others in their code.
fn uses<'a>(
    files: impl Iterator<Item = &'a FileDescriptorProto>,
    owners: &HashMap<String, Module>,
) -> HashSet<(Module, Module)> {
    let mut uses = HashSet::new();
    for file in files {
        let from = module_of(file);
        let mut named: Vec<&str> = Vec::new();
        for service in &file.service {
            let methods = service.method.iter();
            named.extend(methods.flat_map(|method| [method.input_type(), method.output_type()]));
        }
        let mut messages: Vec<&DescriptorProto> = file.message_type.iter().collect();
        while let Some(message) = messages.pop() {
            named.extend(message.field.iter().map(FieldDescriptorProto::type_name));
            messages.extend(&message.nested_type);
        }
        let owned = named.into_iter().filter_map(|name| owners.get(name));
        uses.extend(owned.map(|to| (from.clone(), to.clone())));
    }
    uses
}

/// What stands before a name in `to` where it is written in `from`.
fn way(from: &Module, to: &Module) -> String {
    let shared = from
        .parts()
        .zip(to.parts())
        .take_while(|(a, b)| a == b)
        .count();
    let up = "super::".repeat(from.parts().count() - shared);
    let down = to.parts().skip(shared);
    down.fold(up, |way, part| format!("{way}{part}::"))
}

/// An encoded file without its comments and places; all else stays to the byte, what prost-types does not know included.
///
/// Errors: it is no message.
pub(crate) fn without_comments(bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
        if tag != SOURCE_CODE_INFO {
            let length = field.len() - rest.len();
            kept.extend(field.iter().take(length));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::{
        FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto, SourceCodeInfo,
    };

    use super::{Described, Module, emit, without_comments};

    fn file(name: &str, imports: &[&str], services: &[&str]) -> FileDescriptorProto {
        let services = services.iter().map(|&name| ServiceDescriptorProto {
            name: Some(name.to_owned()),
            ..Default::default()
        });
        let package = name.rsplit_once('/').map(|(package, _)| package);
        FileDescriptorProto {
            name: Some(name.to_owned()),
            package: package.map(|package| package.replace('/', ".")),
            dependency: imports.iter().map(|&import| import.to_owned()).collect(),
            service: services.collect(),
            ..Default::default()
        }
    }

    /// A service with one method, which takes this type.
    fn takes(file: &mut FileDescriptorProto, input: &str) {
        file.service[0].method.push(MethodDescriptorProto {
            input_type: Some(input.to_owned()),
            ..Default::default()
        });
    }

    /// Each file exports a type `Type` of its package.
    fn emitted(files: &[FileDescriptorProto]) -> Described {
        let bytes = files
            .iter()
            .map(|file| (file.name().to_owned(), vec![b'"']));
        let exports = |file: &FileDescriptorProto| match file.package() {
            "else" => Vec::new(),
            "" => vec![".Type".to_owned()],
            package => vec![format!(".{package}.Type")],
        };
        emit(files, &bytes.collect(), exports, "::rt")
    }

    fn text<'a>(found: &'a Described, package: &str) -> &'a str {
        let module = Module::from_protobuf_package_name(package);
        found.texts.get(&module).map_or("", String::as_str)
    }

    #[test]
    fn what_services_need_is_written_once_and_named_by_those_that_import_it() {
        let mut files = [
            file("else/deep.proto", &[], &[]),
            file("a/unused.proto", &[], &[]),
            file("a/near.proto", &["else/deep.proto"], &[]),
            file(
                "a/b/own-1.proto",
                &["a/near.proto", "else/deep.proto"],
                &["First", "Second"],
            ),
        ];
        takes(&mut files[3], ".a.Type");
        let found = emitted(&files);
        let text = |package: &str| text(&found, package);
        assert_eq!(text("a").matches("pub const").count(), 2, "{found:?}");
        assert!(text("a").contains("FILE_A_NEAR: ::rt::FileDescriptor"));
        assert!(text("a").contains("&FILE_ELSE_DEEP,"), "{found:?}");
        assert_eq!(text("a.b").matches("pub const").count(), 2, "{found:?}");
        assert!(text("a.b").contains("&super::FILE_A_NEAR,"), "{found:?}");
        assert!(text("a.b").contains("&FILE_ELSE_DEEP,"), "{found:?}");
        assert!(text("a.b").contains(r#"b"\"","#), "{found:?}");
        for service in ["a.b.First", "a.b.Second"] {
            assert_eq!(found.services[service], "FILE_A_B_OWN_1");
        }
    }

    /// Such as those with options: a package is included without them, if its code does without.
    #[test]
    fn a_file_of_a_package_that_the_code_does_not_need_is_written_beside_those_that_import_it() {
        let mut files = [
            file("types.proto", &[], &[]),
            file("base/base.proto", &[], &[]),
            file("options/options.proto", &["base/base.proto"], &["Odd"]),
            file(
                "a/own.proto",
                &["options/options.proto", "base/base.proto", "types.proto"],
                &["Own"],
            ),
        ];
        takes(&mut files[2], ".base.Type");
        takes(&mut files[3], ".Type");
        let found = emitted(&files);
        let own = text(&found, "a");
        assert_eq!(own.matches("pub const").count(), 3, "{found:?}");
        assert_eq!(own.matches("&FILE_BASE_BASE,").count(), 2, "{found:?}");
        assert!(own.contains("&FILE_OPTIONS_OPTIONS,"), "{found:?}");
        assert_eq!(own.matches("super::").count(), 1, "{found:?}");
        assert!(own.contains("&super::FILE_TYPES,"), "{found:?}");
        let options = text(&found, "options");
        assert!(
            options.contains("&super::base::FILE_BASE_BASE,"),
            "{found:?}"
        );
    }

    #[test]
    fn the_constant_of_the_set_of_all_files_keeps_its_name() {
        let found = emitted(&[file("descriptor_set.proto", &[], &["Own"])]);
        assert_eq!(found.services["Own"], "FILE_DESCRIPTOR_SET_");
    }

    #[test]
    fn comments_go_and_what_is_not_known_stays() {
        let mut plain = file("a.proto", &["b.proto"], &["S"]);
        // Field 14, the edition.
        let unknown = [0x70, 0xe8, 0x07];
        let wanted = [plain.encode_to_vec(), unknown.to_vec()].concat();
        plain.source_code_info = Some(SourceCodeInfo {
            location: vec![Default::default()],
        });
        let given = [plain.encode_to_vec(), unknown.to_vec()].concat();
        assert_eq!(without_comments(&given).as_ref(), Ok(&wanted));
        without_comments(&[0x0a, 0x7f]).expect_err("cut short");
    }
}
