//! Comments of a .proto file as Rust documentation.
//!
//! The text is Markdown to rustdoc but plain text to its author, so it is made safe: code blocks
//! become `text` blocks (never doc tests), characters that would start a link or a tag are escaped,
//! bare URLs become links. Lists, emphasis and code spans stay what they are.
//!
//! prost-build writes comments where they belong but treats their text in its own way, so it is given
//! a token for each place, and the last pass puts the safe text there. A place without a comment gets
//! a line that names it, so that `missing_docs` holds.

use std::collections::{HashMap, HashSet};

use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::options::matches;
use crate::survey;

mod markdown;

const TOKEN: &str = "@trunkline-doc:";

/// The safe text behind each token.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    by_token: HashMap<String, Vec<String>>,
}

impl Docs {
    /// Replaces every comment of a file by a token; those of what `dropped` matches are forgotten.
    pub(crate) fn take(&mut self, file: &mut FileDescriptorProto, dropped: &[String]) {
        let mut info = file.source_code_info.take().unwrap_or_default();
        let mut told: HashSet<Vec<i32>> = info.location.iter().map(|at| at.path.clone()).collect();
        let mut forgotten = HashSet::new();
        survey::names(file, &mut |name, path| {
            if dropped.iter().any(|drop| matches(drop, name)) {
                forgotten.insert(path.to_vec());
            }
            // Built-in files say nothing about their source, and yet need a line for each item.
            if told.insert(path.to_vec()) {
                info.location.push(Location {
                    path: path.to_vec(),
                    ..Location::default()
                });
            }
        });
        for location in &mut info.location {
            let mut lines = comment(location);
            if forgotten.contains(&location.path) {
                lines.clear();
            }
            if lines.is_empty() {
                lines.extend(describe(file, &location.path));
            }
            location.leading_comments = (!lines.is_empty()).then(|| {
                let token = format!("{TOKEN}{}", self.by_token.len());
                let text = format!(" {token}");
                self.by_token.insert(token, lines);
                text
            });
        }
        file.source_code_info = Some(info);
    }

    /// The text for a line that is a token's comment.
    pub(crate) fn find(&self, line: &str) -> Option<&[String]> {
        let token = line.strip_prefix("///")?.trim();
        self.by_token.get(token).map(Vec::as_slice)
    }

    /// The text for a comment as prost-build hands it to a service generator.
    pub(crate) fn resolve(&self, leading: &[String]) -> Vec<String> {
        leading
            .iter()
            .filter_map(|line| self.by_token.get(line.trim()))
            .flatten()
            .cloned()
            .collect()
    }
}

/// Takes the comments out of a location.
fn comment(location: &mut Location) -> Vec<String> {
    location.leading_detached_comments.clear();
    let mut lines = markdown::safe_lines(&location.leading_comments.take().unwrap_or_default());
    let trailing = markdown::safe_lines(&location.trailing_comments.take().unwrap_or_default());
    if !lines.is_empty() && !trailing.is_empty() {
        lines.push(String::new());
    }
    lines.extend(trailing);
    lines
}

/// The line for something without a comment; services and methods get theirs from the emitters.
fn describe(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    // Pairs of field number and index: descriptor.proto, message FileDescriptorProto.
    let [kind, index, rest @ ..] = path else {
        return None;
    };
    let package = file.package();
    let dot = if package.is_empty() { "" } else { "." };
    let scope = format!("{package}{dot}");
    match kind {
        4 => describe_message(item(&file.message_type, *index)?, &scope, rest),
        5 => describe_enum(item(&file.enum_type, *index)?, &scope, rest),
        _ => None,
    }
}

fn describe_message(message: &DescriptorProto, scope: &str, path: &[i32]) -> Option<String> {
    let name = format!("{scope}{}", message.name());
    match path {
        [] => Some(format!("Message `{name}`.")),
        [2, index] => {
            let field = item(&message.field, *index)?;
            Some(format!("Field `{}`, tag {}.", field.name(), field.number()))
        }
        [8, index] => {
            let oneof = item(&message.oneof_decl, *index)?;
            Some(format!("Oneof `{}` of `{name}`.", oneof.name()))
        }
        [3, index, rest @ ..] => describe_message(
            item(&message.nested_type, *index)?,
            &format!("{name}."),
            rest,
        ),
        [4, index, rest @ ..] => {
            describe_enum(item(&message.enum_type, *index)?, &format!("{name}."), rest)
        }
        _ => None,
    }
}

fn describe_enum(of: &EnumDescriptorProto, scope: &str, path: &[i32]) -> Option<String> {
    match path {
        [] => Some(format!("Enum `{scope}{}`.", of.name())),
        [2, index] => {
            let value = item(&of.value, *index)?;
            Some(format!("`{}`, number {}.", value.name(), value.number()))
        }
        _ => None,
    }
}

fn item<T>(list: &[T], index: i32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}
