//! Walks a file: every name in it, in full, with the path that source positions use.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::error::Problem;

/// Calls `see` with the full name (`.shop.Order.items`) and the location path of everything that a file
/// names: its package, messages, fields, oneofs, enums, values, services and methods.
///
/// A field of a oneof is seen under both of its names, `.shop.Order.item` and `.shop.Order.kind.item`,
/// since prost-build's options know both.
pub(crate) fn names(file: &FileDescriptorProto, see: &mut impl FnMut(&str, &[i32])) {
    // The numbers are those of descriptor.proto, message FileDescriptorProto.
    let package = scope(file);
    see(if package.is_empty() { "." } else { &package }, &[2]);
    for (at, message) in indexed(&file.message_type) {
        names_of_message(message, &package, &[4, at], see);
    }
    for (at, item) in indexed(&file.enum_type) {
        names_of_enum(item, &package, &[5, at], see);
    }
    for (at, service) in indexed(&file.service) {
        let name = format!("{package}.{}", service.name());
        see(&name, &[6, at]);
        for (index, method) in indexed(&service.method) {
            see(&format!("{name}.{}", method.name()), &[6, at, 2, index]);
        }
    }
}

fn names_of_message(
    message: &DescriptorProto,
    scope: &str,
    path: &[i32],
    see: &mut impl FnMut(&str, &[i32]),
) {
    let name = format!("{scope}.{}", message.name());
    see(&name, path);
    for (at, field) in indexed(&message.field) {
        let path = join(path, 2, at);
        see(&format!("{name}.{}", field.name()), &path);
        let oneof = field
            .oneof_index
            .filter(|_| !field.proto3_optional())
            .and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
        if let Some(oneof) = oneof {
            see(&format!("{name}.{}.{}", oneof.name(), field.name()), &path);
        }
    }
    for (at, oneof) in indexed(&message.oneof_decl) {
        see(&format!("{name}.{}", oneof.name()), &join(path, 8, at));
    }
    for (at, nested) in indexed(&message.nested_type) {
        names_of_message(nested, &name, &join(path, 3, at), see);
    }
    for (at, item) in indexed(&message.enum_type) {
        names_of_enum(item, &name, &join(path, 4, at), see);
    }
}

fn names_of_enum(
    item: &EnumDescriptorProto,
    scope: &str,
    path: &[i32],
    see: &mut impl FnMut(&str, &[i32]),
) {
    let name = format!("{scope}.{}", item.name());
    see(&name, path);
    for (at, value) in indexed(&item.value) {
        see(&format!("{name}.{}", value.name()), &join(path, 2, at));
    }
}

/// A file's package with a dot in front, empty without one.
pub(crate) fn scope(file: &FileDescriptorProto) -> String {
    match file.package() {
        "" => String::new(),
        package => format!(".{package}"),
    }
}

/// A list with its indices as location paths have them.
pub(crate) fn indexed<T>(list: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(list)
}

/// A location path, one step longer.
pub(crate) fn join(path: &[i32], field: i32, index: i32) -> Vec<i32> {
    let mut longer = path.to_vec();
    longer.extend([field, index]);
    longer
}

/// The files that were read, by the name that imports use.
pub(crate) type Places = HashMap<String, PathBuf>;

/// A complaint about the thing at a location path; its name if the source says where that is.
pub(crate) fn problem(
    file: &FileDescriptorProto,
    places: &Places,
    path: &[i32],
    message: String,
) -> Problem {
    let span_of = |path: &[i32]| {
        let info = file.source_code_info.as_ref()?;
        let found = info.location.iter().find(|at| at.path == path)?;
        let mut span = found.span.iter().map(|n| usize::try_from(*n).ok());
        Some((span.next()?? + 1, span.next()?? + 1))
    };
    let mut name = path.to_vec();
    name.push(1);
    Problem {
        file: places
            .get(file.name())
            .map_or_else(|| Path::new(file.name()).to_owned(), PathBuf::clone),
        position: span_of(&name).or_else(|| span_of(path)),
        message,
    }
}
