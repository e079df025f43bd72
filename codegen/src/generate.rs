//! Descriptors in, Rust text out: messages by prost-build, services by our emitters.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use prost_build::{Config, Module};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::check::Checks;
use crate::debug;
use crate::described::{self, Described, Descriptors};
use crate::docs::Docs;
use crate::error::Error;
use crate::exports;
use crate::externs::Externs;
use crate::format;
use crate::options::{Options, Target, matches};
use crate::services::{Services, service_names};
use crate::survey::{self, Places};
use crate::type_names;

/// One package that has something to generate.
#[derive(Debug)]
pub(crate) struct Package {
    /// The modules that lead to it, none for the nameless package.
    pub(crate) path: Vec<String>,
    /// The file that its text goes to.
    pub(crate) file_name: String,
    pub(crate) text: String,
}

/// What to generate from.
pub(crate) struct Input {
    /// Every file, imported ones before those that import them.
    pub(crate) files: Vec<FileDescriptorProto>,
    /// Where they were read.
    pub(crate) places: Places,
    /// Their descriptors as they were written, editions and options of all kinds included.
    pub(crate) descriptors: Descriptors,
    /// Of which of them to generate code; `None` for all.
    pub(crate) chosen: Option<BTreeSet<String>>,
    /// Rust paths of types that other crates have.
    pub(crate) imported: BTreeMap<String, String>,
}

/// What came out.
pub(crate) struct Generated {
    /// In the order of the module tree.
    pub(crate) packages: Vec<Package>,
    /// What the dependents of this crate may use: full names and the modules with the Rust name inside.
    pub(crate) types: Vec<(String, String)>,
    /// Options that had nothing to work on.
    pub(crate) warnings: Vec<String>,
}

/// Generates one text for each package.
pub(crate) fn generate(options: &Options, input: Input) -> Result<Generated, Error> {
    let externs = Externs::new(options, &input.imported)?;
    let Input {
        mut files,
        places,
        descriptors,
        chosen,
        ..
    } = input;
    let wanted = |file: &FileDescriptorProto| {
        let here = chosen.as_ref().is_none_or(|c| c.contains(file.name()));
        here && !is_skipped(options, file)
    };
    check(options, &externs, &places, &files, wanted)?;
    let warnings = unused(options, &files);
    for file in &mut files {
        // What another crate has, it serves and calls as well.
        let scope = survey::scope(file);
        let covered = |s: &prost_types::ServiceDescriptorProto| {
            externs.cover(&format!("{scope}.{}", s.name()))
        };
        if !wanted(file) || (!file.service.is_empty() && file.service.iter().all(covered)) {
            file.service.clear();
        }
    }
    let types = files
        .iter()
        .filter(|file| wanted(file))
        .flat_map(|file| exports::of(file, &externs))
        .collect();

    let mut docs = Docs::default();
    for file in &mut files {
        docs.take(file, &options.no_comments);
        say_packed(file);
        say_infinite(file);
    }
    let docs = Rc::new(docs);
    let mut config = prost_config(options, &externs, &oneof_fields(&files));
    let by_hand = debug::by_hand(options, &files);
    // Without the dot it means this message and nothing inside.
    config.skip_debug(by_hand.iter().map(|name| name.trim_start_matches('.')));
    let names = service_names(&files);
    let described = if options.server && options.descriptors {
        let exports = |file: &_| match wanted(file) {
            true => exports::of(file, &externs)
                .into_iter()
                .map(|(full_name, _)| full_name)
                .collect(),
            false => Vec::new(),
        };
        let runtime = format!("{}::codegen", options.runtime);
        described::emit(&files, &descriptors, exports, &runtime)
    } else {
        Described::default()
    };
    config.service_generator(Box::new(Services {
        options: options.clone(),
        names,
        described: described.services,
        docs: Rc::clone(&docs),
    }));
    let mut tails: HashMap<Module, String> = described.texts;
    let mut unwanted = HashSet::new();
    let mut requests = Vec::with_capacity(files.len());
    for file in files {
        let mut module = Module::from_protobuf_package_name(file.package());
        if !wanted(&file) {
            // prost-build must know its messages; the text goes where nobody looks.
            module = Module::from_parts([file.name(), ""]);
            unwanted.insert(module.clone());
        } else {
            let tail = tails.entry(module.clone()).or_default();
            if options.type_names {
                tail.push_str(&type_names::emit(&file, &externs, &options.runtime));
            }
            tail.push_str(&debug::emit(&file, &by_hand, &externs));
        }
        requests.push((module, file));
    }
    let modules: BTreeMap<Module, String> = messages(config, requests)?
        .into_iter()
        .filter(|(module, _)| !unwanted.contains(module))
        .collect();
    let packages = modules
        .into_iter()
        .map(|(module, mut raw)| {
            raw.push_str(tails.get(&module).map_or("", String::as_str));
            Package {
                path: module.parts().map(str::to_owned).collect(),
                file_name: module.to_file_name_or("_"),
                text: format::finish(&raw, &docs),
            }
        })
        .collect();
    Ok(Generated {
        packages,
        types,
        warnings,
    })
}

/// Runs prost-build, which panics over what it does not know.
fn messages(
    mut config: Config,
    requests: Vec<(Module, FileDescriptorProto)>,
) -> Result<HashMap<Module, String>, Error> {
    let run = AssertUnwindSafe(move || config.generate(requests));
    let reason = match catch_unwind(run) {
        Ok(Ok(modules)) => return Ok(modules),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned()),
    };
    Err(Error::Generator { reason })
}

/// Says of packed fields of proto3 that they are, where prost-build takes other options for a no.
fn say_packed(file: &mut FileDescriptorProto) {
    fn each(message: &mut DescriptorProto) {
        for field in &mut message.field {
            if let (Label::Repeated, Some(options)) = (field.label(), &mut field.options) {
                options.packed.get_or_insert(true);
            }
        }
        message.nested_type.iter_mut().for_each(each);
    }
    if file.syntax() == "proto3" {
        file.message_type.iter_mut().for_each(each);
    }
}

/// Says `inf` of the defaults of floats that are too large for one, where prost's macro would panic.
fn say_infinite(file: &mut FileDescriptorProto) {
    fn each(message: &mut DescriptorProto) {
        for field in &mut message.field {
            if let (Type::Float, Some(value)) = (field.r#type(), &mut field.default_value)
                && let Ok(number) = value.parse::<f32>()
                && number.is_infinite()
            {
                *value = number.to_string();
            }
        }
        message.nested_type.iter_mut().for_each(each);
    }
    file.message_type.iter_mut().for_each(each);
}

fn check(
    options: &Options,
    externs: &Externs,
    places: &Places,
    files: &[FileDescriptorProto],
    wanted: impl Fn(&FileDescriptorProto) -> bool,
) -> Result<(), Error> {
    let mut skipped = HashSet::new();
    for file in files.iter().filter(|file| is_skipped(options, file)) {
        survey::names(file, &mut |name, _| {
            skipped.insert(name.to_owned());
        });
    }
    // What is elsewhere has no module here.
    let modules = files
        .iter()
        .filter(|file| wanted(file) && !exports::of(file, externs).is_empty())
        .map(|file| Module::from_protobuf_package_name(file.package()));
    let checks = Checks {
        externs,
        places,
        enum_prefix: options.enum_prefix,
        packages: modules.collect(),
        skipped,
    };
    checks.run(files.iter().filter(|file| wanted(file)))
}

fn is_skipped(options: &Options, file: &FileDescriptorProto) -> bool {
    options.skipped.contains(&survey::scope(file))
}

/// Says of each option whose path matches nothing that it does.
fn unused(options: &Options, files: &[FileDescriptorProto]) -> Vec<String> {
    let mut names = HashSet::new();
    for file in files {
        survey::names(file, &mut |name, _| {
            names.insert(name.to_owned());
        });
    }
    let nothing = |path: &str| !names.iter().any(|name| matches(path, name));
    let paths = options.paths();
    let externs = options
        .extern_paths
        .iter()
        .map(|(proto, _)| ("extern_path", proto.as_str()));
    // Of packages it is the whole name.
    let skips = |path: &str| files.iter().any(|file| survey::scope(file) == path);
    paths
        .chain(externs)
        .filter(|(option, path)| match *option {
            "skip_package" => !skips(path),
            _ => *path != "." && nothing(path),
        })
        .map(|(option, path)| format!("{option}({path:?}) matches nothing in the files read"))
        .collect()
}

/// The fields of oneofs: by their name in the message, `.shop.Order.card`, the one that prost-build's
/// options know, `.shop.Order.payment.card`.
fn oneof_fields(files: &[FileDescriptorProto]) -> HashMap<String, String> {
    let mut known: HashMap<Vec<i32>, String> = HashMap::new();
    let mut found = HashMap::new();
    for file in files {
        known.clear();
        survey::names(file, &mut |name, path| {
            if let Some(plain) = known.insert(path.to_vec(), name.to_owned()) {
                found.insert(plain, name.to_owned());
            }
        });
    }
    found
}

fn prost_config(
    options: &Options,
    externs: &Externs,
    oneof_fields: &HashMap<String, String>,
) -> Config {
    let known = |path: &str| {
        let known = oneof_fields.get(path).map_or(path, String::as_str);
        known.to_owned()
    };
    let mut config = Config::new();
    config.prost_path(format!("{}::codegen::prost", options.runtime));
    // The well-known types are in our own table, where a caller's paths win over them.
    config.compile_well_known_types();
    for (proto, rust) in externs.iter() {
        config.extern_path(proto, rust);
    }
    for (path, text) in options.attributes_of(Target::Type) {
        config.type_attribute(path, text);
    }
    for (path, text) in options.attributes_of(Target::Message) {
        config.message_attribute(path, text);
    }
    for (path, text) in options.attributes_of(Target::Enum) {
        config.enum_attribute(path, text);
    }
    for (path, text) in options.attributes_of(Target::Field) {
        config.field_attribute(known(path), text);
    }
    config.bytes(&options.bytes);
    config.btree_map(&options.btree_map);
    for path in &options.boxed {
        config.boxed(known(path));
    }
    if options.enum_prefix {
        config.retain_enum_prefix();
    }
    config
}
