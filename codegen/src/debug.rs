//! Emits `Debug` for messages with a `BTreeMap`, whose derived form names prost by a path that only its
//! direct users have.

use std::collections::HashSet;
use std::fmt::Write as _;

use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::check::is_map_entry;
use crate::externs::Externs;
use crate::names::{prost_snake, upper_camel};
use crate::options::{Options, matches};
use crate::survey;

/// The full names of the messages that need it: those that have such a map, and others that prost-build
/// cannot tell from them, as their names end like those.
pub(crate) fn by_hand(options: &Options, files: &[FileDescriptorProto]) -> HashSet<String> {
    let mut all = Vec::new();
    if !options.btree_map.is_empty() {
        for file in files {
            each(&file.message_type, &survey::scope(file), "", &mut |m| {
                all.push((m.full_name.to_owned(), has_tree(options, m)));
            });
        }
    }
    let trees: Vec<String> = all
        .iter()
        .filter(|(_, has_tree)| *has_tree)
        .map(|(name, _)| name.clone())
        .collect();
    all.into_iter()
        .map(|(name, _)| name)
        .filter(|name| trees.iter().any(|tree| name.ends_with(tree.as_str())))
        .collect()
}

/// Writes `impl Debug` for those of a file's messages that are among `by_hand`, and for their oneofs; what is
/// elsewhere has its own.
pub(crate) fn emit(
    file: &FileDescriptorProto,
    by_hand: &HashSet<String>,
    externs: &Externs,
) -> String {
    let mut out = String::new();
    if !by_hand.is_empty() {
        each(&file.message_type, &survey::scope(file), "", &mut |m| {
            if by_hand.contains(m.full_name) && !externs.cover(m.full_name) {
                message(m, &mut out);
            }
        });
    }
    out
}

/// A message, where it is, and what its map fields are.
struct Seen<'a> {
    message: &'a DescriptorProto,
    full_name: &'a str,
    /// The module that holds it, seen from the package.
    module: &'a str,
}

fn each(messages: &[DescriptorProto], scope: &str, module: &str, see: &mut impl FnMut(&Seen<'_>)) {
    for message in messages.iter().filter(|message| !is_map_entry(message)) {
        let full_name = format!("{scope}.{}", message.name());
        see(&Seen {
            message,
            full_name: &full_name,
            module,
        });
        let inside = format!("{module}{}::", prost_snake(message.name()));
        each(&message.nested_type, &full_name, &inside, see);
    }
}

fn has_tree(options: &Options, seen: &Seen<'_>) -> bool {
    let maps: Vec<String> = seen
        .message
        .nested_type
        .iter()
        .filter(|nested| is_map_entry(nested))
        .map(|nested| format!("{}.{}", seen.full_name, nested.name()))
        .collect();
    seen.message
        .field
        .iter()
        .filter(|field| maps.iter().any(|map| map == field.type_name()))
        .any(|field| {
            let name = format!("{}.{}", seen.full_name, field.name());
            options.btree_map.iter().any(|path| matches(path, &name))
        })
}

fn message(seen: &Seen<'_>, out: &mut String) {
    let Seen {
        message, module, ..
    } = seen;
    let rust = upper_camel(message.name());
    begin(&format!("{module}{rust}"), out);
    let _ = writeln!(out, "        f.debug_struct({rust:?})");
    let mut oneofs: Vec<(i32, Vec<&str>)> = Vec::new();
    for field in &message.field {
        let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
        match oneof {
            None => shown(field.name(), out),
            Some(index) => match oneofs.iter_mut().find(|(known, _)| *known == index) {
                Some((_, fields)) => fields.push(field.name()),
                None => oneofs.push((index, vec![field.name()])),
            },
        }
    }
    let name_of = |index: i32| {
        let oneof = message.oneof_decl.get(usize::try_from(index).ok()?)?;
        Some(oneof.name())
    };
    for (index, _) in &oneofs {
        shown(name_of(*index).unwrap_or_default(), out);
    }
    out.push_str("            .finish()\n    }\n}\n");
    for (index, fields) in oneofs {
        let name = name_of(index).unwrap_or_default();
        oneof(seen, name, &fields, out);
    }
}

fn oneof(seen: &Seen<'_>, name: &str, fields: &[&str], out: &mut String) {
    let message = seen.message;
    let mut rust = upper_camel(name);
    let nested = message.nested_type.iter().map(DescriptorProto::name);
    let enums = message.enum_type.iter().map(|item| item.name());
    if nested.chain(enums).any(|other| upper_camel(other) == rust) {
        // As prost-build gives way to a nested type.
        rust.push_str("OneOf");
    }
    let inside = prost_snake(message.name());
    begin(&format!("{}{inside}::{rust}", seen.module), out);
    out.push_str("        match self {\n");
    for field in fields {
        let variant = upper_camel(field);
        let _ = writeln!(
            out,
            "            Self::{variant}(value) => f.debug_tuple({variant:?}).field(value).finish(),"
        );
    }
    out.push_str("        }\n    }\n}\n");
}

fn begin(path: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "#[allow(deprecated, reason = \"deprecated fields are shown, too\")]
impl ::core::fmt::Debug for {path} {{
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{"
    );
}

fn shown(field: &str, out: &mut String) {
    let field = prost_snake(field);
    let label = field.trim_start_matches("r#");
    let _ = writeln!(out, "            .field({label:?}, &self.{field})");
}
