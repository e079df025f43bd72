//! Sets of descriptors that the caller gives.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use trunkline_core::Status;
use trunkline_core::codegen::prost::{self, Message};
use trunkline_core::codegen::prost_types::FileDescriptorProto;

use super::index::{Id, Index, unreadable};

/// A `google.protobuf.FileDescriptorSet` whose files are left as they are: editions and options of
/// all kinds stay in them.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "trunkline_core::codegen::prost")]
struct FileSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

impl Index {
    /// Takes in all files of an encoded set, in whatever order they are.
    ///
    /// Errors: INVALID_ARGUMENT when it is no set, lacks an import, or has files that import each
    /// other.
    pub(super) fn add_set(&mut self, set: &Bytes) -> Result<(), Status> {
        let no_set = |error| unreadable("a file descriptor set", &error);
        let set = FileSet::decode(set.clone()).map_err(no_set)?;
        let mut files = Vec::with_capacity(set.files.len());
        for encoded in set.files {
            let parsed = FileDescriptorProto::decode(encoded.clone()).map_err(no_set)?;
            files.push((parsed, encoded));
        }
        let mut waiting: HashMap<&str, &(FileDescriptorProto, Bytes)> = HashMap::new();
        // Sets that were put together may have one name for two files.
        let mut others = Vec::new();
        for file in &files {
            match waiting.entry(file.0.name()) {
                Entry::Vacant(place) => _ = place.insert(file),
                Entry::Occupied(_) => others.push(file),
            }
        }
        let mut done = HashMap::new();
        for (file, _) in &files {
            self.add_of_set(file.name(), &mut waiting, &mut done)?;
        }
        for (file, encoded) in others {
            let imports = file.dependency.iter().map(|import| {
                let own = done.get(import.as_str()).copied();
                own.or_else(|| self.file(import))
                    .ok_or_else(|| lacks(file, import))
            });
            let imports = imports.collect::<Result<_, _>>()?;
            self.insert(file, encoded.clone(), imports);
        }
        Ok(())
    }

    /// Takes in one file of the set after those that it imports, without recursion: how deep imports
    /// go is up to whoever made the set.
    fn add_of_set<'a>(
        &mut self,
        name: &'a str,
        waiting: &mut HashMap<&'a str, &'a (FileDescriptorProto, Bytes)>,
        done: &mut HashMap<&'a str, Id>,
    ) -> Result<(), Status> {
        let mut stack = Vec::from_iter(waiting.remove(name));
        while let Some(&(file, encoded)) = stack.last() {
            let next = file.dependency.iter().map(String::as_str).find(|import| {
                !done.contains_key(import) && self.file(import).is_none()
                    || waiting.contains_key(import)
            });
            if let Some(import) = next {
                let Some(missing) = waiting.remove(import) else {
                    return Err(lacks(file, import));
                };
                stack.push(missing);
                continue;
            }
            let imports = file.dependency.iter().map(String::as_str);
            let imports = imports.filter_map(|import| {
                let own = done.get(import).copied();
                own.or_else(|| self.file(import))
            });
            let imports = imports.collect();
            let id = self.insert(file, encoded.clone(), imports);
            done.insert(file.name(), id);
            stack.pop();
        }
        Ok(())
    }
}

fn lacks(file: &FileDescriptorProto, import: &str) -> Status {
    Status::invalid_argument(format!(
        "reflection: {} imports {import}, which its file descriptor set does not have, or which \
         imports it in turn",
        file.name()
    ))
}
