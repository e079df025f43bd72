//! All files that a server can tell of, each once, and where to find what they define.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;
use trunkline_core::codegen::prost::encoding::{DecodeContext, decode_key, skip_field};
use trunkline_core::codegen::prost::{DecodeError, Message};
use trunkline_core::codegen::prost_types::FileDescriptorProto;
use trunkline_core::{FileDescriptor, Status};

use super::names::{self, Defined};

/// A file's place in the index.
pub(super) type Id = usize;

/// Files and what they define.
///
/// Packages and crates bring the same files over and over: alike in their imports, and in their bytes
/// but for the comments that only sets have, they are one here. Two that only share the name, as may happen where crates name files relative to
/// folders of their own, are both kept, each with the imports that it was compiled with; asked for
/// by that name, the first one is told.
#[derive(Debug, Default)]
pub(super) struct Index {
    files: Vec<File>,
    known: HashMap<(Bytes, Vec<Id>), Id>,
    by_name: HashMap<String, Id>,
    symbols: HashMap<String, Id>,
    /// By the message that is extended, and the number.
    extensions: HashMap<String, BTreeMap<i32, Id>>,
}

#[derive(Debug)]
struct File {
    encoded: Bytes,
    imports: Vec<Id>,
}

impl Index {
    /// Takes in a file and what it imports.
    ///
    /// Errors: INVALID_ARGUMENT for what is no descriptor.
    pub(super) fn add(&mut self, file: &'static FileDescriptor) -> Result<Id, Status> {
        self.add_once(file, &mut HashMap::new())
    }

    /// `added` keeps a file that many others import from being looked at by each of them.
    fn add_once(
        &mut self,
        file: &'static FileDescriptor,
        added: &mut HashMap<*const u8, Id>,
    ) -> Result<Id, Status> {
        let place = file.encoded.as_ptr();
        if let Some(&id) = added.get(&place) {
            return Ok(id);
        }
        let mut imports = Vec::with_capacity(file.imports.len());
        for import in file.imports {
            imports.push(self.add_once(import, added)?);
        }
        let parsed = FileDescriptorProto::decode(file.encoded)
            .map_err(|error| unreadable("a generated file descriptor", &error))?;
        let id = self.insert(&parsed, Bytes::from_static(file.encoded), imports);
        added.insert(place, id);
        Ok(id)
    }

    /// Takes in one file whose imports are here.
    pub(super) fn insert(
        &mut self,
        parsed: &FileDescriptorProto,
        encoded: Bytes,
        imports: Vec<Id>,
    ) -> Id {
        let id = self.files.len();
        let bare = match parsed.source_code_info {
            Some(_) => without_comments(&encoded).unwrap_or_else(|_| encoded.clone()),
            None => encoded.clone(),
        };
        let key = (bare, imports);
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let imports = key.1.clone();
        self.known.insert(key, id);
        self.files.push(File { encoded, imports });
        let name = parsed.name();
        if self.by_name.contains_key(name) {
            tracing::warn!(
                file = name,
                "reflection has two files of this name, which differ: asked for it, the first is told"
            );
        } else {
            self.by_name.insert(name.to_owned(), id);
        }
        names::each(parsed, &mut |defined| match defined {
            Defined::Symbol(symbol) => {
                self.symbols.entry(symbol).or_insert(id);
            }
            Defined::Extension(of, number) => {
                let numbers = self.extensions.entry(of.to_owned()).or_default();
                numbers.entry(number).or_insert(id);
            }
        });
        id
    }

    /// The file of this name, as imports spell it.
    pub(super) fn file(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    /// The file that defines this full name.
    pub(super) fn symbol(&self, name: &str) -> Option<Id> {
        self.symbols.get(name).copied()
    }

    /// The file that defines this extension of a message.
    pub(super) fn extension(&self, of: &str, number: i32) -> Option<Id> {
        self.extensions.get(of)?.get(&number).copied()
    }

    /// The numbers of a message's extensions, sorted; `None` if it is not known at all.
    pub(super) fn extension_numbers(&self, of: &str) -> Option<Vec<i32>> {
        match self.extensions.get(of) {
            Some(numbers) => Some(numbers.keys().copied().collect()),
            None => self.symbols.contains_key(of).then(Vec::new),
        }
    }

    /// A file and all that it imports, directly or not, that were not sent before: the file first,
    /// in any case, then its imports before theirs.
    pub(super) fn with_imports(&self, file: Id, sent: &mut HashSet<Id>) -> Vec<Bytes> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([file]);
        let mut queue = VecDeque::from([file]);
        while let Some(id) = queue.pop_front() {
            let Some(each) = self.files.get(id) else {
                continue;
            };
            if sent.insert(id) || id == file {
                found.push(each.encoded.clone());
            }
            let imports = each.imports.iter().copied();
            queue.extend(imports.filter(|&import| seen.insert(import)));
        }
        found
    }
}

/// The same file without its field `source_code_info`: comments, and places in the text.
fn without_comments(encoded: &Bytes) -> Result<Bytes, DecodeError> {
    const SOURCE_CODE_INFO: u32 = 9;
    let mut kept = Vec::new();
    let mut rest = encoded.as_ref();
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
        if tag != SOURCE_CODE_INFO {
            let length = field.len() - rest.len();
            kept.extend(field.iter().take(length));
        }
    }
    Ok(kept.into())
}

pub(super) fn unreadable(what: &str, error: &dyn std::error::Error) -> Status {
    Status::invalid_argument(format!("reflection: {what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;
    use trunkline_core::codegen::prost::Message;
    use trunkline_core::codegen::prost_types::source_code_info::Location;
    use trunkline_core::codegen::prost_types::{
        DescriptorProto, FileDescriptorProto, SourceCodeInfo,
    };

    use super::{Id, Index};

    fn add(index: &mut Index, name: &str, message: &str, imports: &[Id]) -> Id {
        let file = FileDescriptorProto {
            name: Some(name.to_owned()),
            message_type: vec![DescriptorProto {
                name: Some(message.to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        };
        index.insert(&file, file.encode_to_vec().into(), imports.to_vec())
    }

    #[test]
    fn a_file_that_comes_twice_is_one() {
        let mut index = Index::default();
        let first = add(&mut index, "a.proto", "A", &[]);
        assert_eq!(add(&mut index, "a.proto", "A", &[]), first);
        assert_eq!(index.files.len(), 1);
    }

    /// protoc and buf write sets with comments, generated servers have their files without.
    #[test]
    fn a_file_is_the_same_with_and_without_its_comments() {
        let mut file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            syntax: Some("proto3".to_owned()),
            ..Default::default()
        };
        let mut index = Index::default();
        let plain = index.insert(&file, file.encode_to_vec().into(), Vec::new());
        file.source_code_info = Some(SourceCodeInfo {
            location: vec![Location {
                leading_comments: Some("about it".to_owned()),
                ..Default::default()
            }],
        });
        let encoded = file.encode_to_vec();
        let length = u8::try_from(encoded.len()).unwrap();
        let set = [vec![0x0a, length], encoded].concat();
        index.add_set(&set.into()).unwrap();
        assert_eq!(index.files.len(), 1);
        file.package = Some("other".to_owned());
        let other = index.insert(&file, file.encode_to_vec().into(), Vec::new());
        assert_ne!(other, plain);
        let told = index.with_imports(other, &mut HashSet::new());
        assert_eq!(
            told,
            [file.encode_to_vec()],
            "comments that a set has are told"
        );
    }

    /// Two crates may each have a `service.proto`.
    #[test]
    fn files_that_only_share_a_name_keep_their_own_imports() {
        let mut index = Index::default();
        let base = add(&mut index, "base.proto", "Base", &[]);
        let other_base = add(&mut index, "base.proto", "Other", &[]);
        let one = add(&mut index, "service.proto", "One", &[base]);
        let two = add(&mut index, "service.proto", "Two", &[other_base]);
        assert_eq!(index.symbol("Two"), Some(two));
        assert_eq!(index.file("service.proto"), Some(one));
        let told = index.with_imports(two, &mut HashSet::new());
        let messages = told.into_iter().map(|encoded| {
            let file = FileDescriptorProto::decode(encoded).unwrap();
            file.message_type[0].name().to_owned()
        });
        assert_eq!(messages.collect::<Vec<_>>(), ["Two", "Other"]);
    }

    #[test]
    fn a_set_loses_no_file_that_shares_a_name() {
        let set = ["One", "Two", "One"].map(|message| {
            let file = FileDescriptorProto {
                name: Some("service.proto".to_owned()),
                message_type: vec![DescriptorProto {
                    name: Some(message.to_owned()),
                    ..Default::default()
                }],
                ..Default::default()
            };
            let encoded = file.encode_to_vec();
            let length = u8::try_from(encoded.len()).unwrap();
            [vec![0x0a, length], encoded].concat()
        });
        let mut index = Index::default();
        index.add_set(&set.concat().into()).unwrap();
        assert_eq!(index.files.len(), 2);
        assert_eq!(index.symbol("One"), index.file("service.proto"));
        assert_ne!(index.symbol("Two"), index.symbol("One"));
        assert!(index.symbol("Two").is_some());
    }

    #[test]
    fn imports_of_many_are_told_once() {
        let mut index = Index::default();
        let mut layer = vec![add(&mut index, "0", "M0", &[])];
        // Each of two files imports both of the layer below: two to the thirtieth ways down.
        for depth in 1..=30 {
            let pair = ["a", "b"].map(|side| {
                let name = format!("{depth}{side}");
                add(&mut index, &name, &format!("M{name}"), &layer)
            });
            layer = pair.to_vec();
        }
        let told = index.with_imports(layer[0], &mut HashSet::new());
        assert_eq!(told.len(), 1 + 29 * 2 + 1);
    }

    /// Imports as deep as this would end a thread's stack, were each level a call.
    #[test]
    fn a_set_may_be_deep_and_in_any_order() {
        let deep = 10_000;
        let mut set = Vec::new();
        for level in (0..deep).rev() {
            let file = FileDescriptorProto {
                name: Some(level.to_string()),
                dependency: (level > 0)
                    .then(|| (level - 1).to_string())
                    .into_iter()
                    .collect(),
                ..Default::default()
            };
            let encoded = file.encode_to_vec();
            // Field 1 of a set; shorter than 128 bytes.
            set.extend([0x0a, u8::try_from(encoded.len()).unwrap()]);
            set.extend(encoded);
        }
        let mut index = Index::default();
        index.add_set(&Bytes::from(set)).unwrap();
        let top = index.file(&(deep - 1).to_string()).unwrap();
        let told = index.with_imports(top, &mut HashSet::new());
        assert_eq!(told.len(), deep);
    }
}
