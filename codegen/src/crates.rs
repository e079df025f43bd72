//! Protos spread over crates: what one build script tells those of the crates that depend on it.
//!
//! Cargo hands what a build script prints as metadata to the scripts of direct dependents, in variables
//! named after `links`. A variable has room for a path only, so the rest is in a file beside the
//! generated code, with a line for each include path and for each type:
//!
//! ```text
//! include <folder of common>/proto
//! type .common.Money ::common_protos::pb::common::Money
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The file's name, and the key that Cargo makes a variable of.
const FILE: &str = "trunkline-protos.txt";
const KEY: &str = "trunkline_protos";

/// What other crates have to offer.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    pub(crate) includes: Vec<PathBuf>,
    /// Full names to Rust paths.
    pub(crate) types: BTreeMap<String, String>,
    /// The files that said so.
    pub(crate) read: BTreeSet<PathBuf>,
}

impl Imported {
    /// Reads what each crate of `links` has exported.
    pub(crate) fn read(links: &[String]) -> Result<Self, Error> {
        let mut imported = Self::default();
        for links in links {
            let name = variable(links);
            let Some(path) = env::var_os(&name).map(PathBuf::from) else {
                return Err(Error::NotExported {
                    links: links.clone(),
                    reason: format!("the variable {name} is not set"),
                });
            };
            let text = fs::read_to_string(&path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?;
            imported.add(&text);
            imported.read.insert(path);
        }
        Ok(imported)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(include) = line.strip_prefix("include ") {
                let include = PathBuf::from(include);
                if !self.includes.contains(&include) {
                    self.includes.push(include);
                }
            } else if let Some((proto, rust)) = line
                .strip_prefix("type ")
                .and_then(|rest| rest.split_once(' '))
            {
                self.types.insert(proto.to_owned(), rust.to_owned());
            }
        }
    }

    /// The text for this crate's dependents; they get what this one imports as well, because its
    /// files import it.
    pub(crate) fn export(
        &self,
        root: &str,
        includes: &[PathBuf],
        types: &[(String, String)],
    ) -> String {
        let mut text = String::new();
        for include in includes {
            let absolute = fs::canonicalize(include).unwrap_or_else(|_| include.clone());
            let _ = writeln!(text, "include {}", absolute.display());
        }
        for include in &self.includes {
            let _ = writeln!(text, "include {}", include.display());
        }
        for (proto, rust) in types {
            let _ = writeln!(text, "type {proto} {root}::{rust}");
        }
        for (proto, rust) in &self.types {
            let _ = writeln!(text, "type {proto} {rust}");
        }
        text
    }
}

/// Where the text goes, and the line that tells Cargo so.
pub(crate) fn export_to(folder: &Path) -> (PathBuf, String) {
    let path = folder.join(FILE);
    let line = format!("cargo:{KEY}={}\n", path.display());
    (path, line)
}

/// The variable in which Cargo passes it on.
fn variable(links: &str) -> String {
    let links = links.to_uppercase().replace('-', "_");
    format!("DEP_{links}_{}", KEY.to_uppercase())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Imported, variable};

    #[test]
    fn what_is_exported_is_imported_with_what_was_imported_before() {
        let mut first = Imported::default();
        first.add("include /far\ntype .far.Away ::far::far::Away\n");
        let types = [(".common.Money".to_owned(), "common::Money".to_owned())];
        let text = first.export("::common_protos::pb", &[PathBuf::from("/near")], &types);
        let mut second = Imported::default();
        second.add(&text);
        second.add(&text);
        assert_eq!(
            second.includes,
            [PathBuf::from("/near"), PathBuf::from("/far")]
        );
        let types: Vec<_> = second.types.into_iter().collect();
        assert_eq!(
            types,
            [
                (
                    ".common.Money".to_owned(),
                    "::common_protos::pb::common::Money".to_owned()
                ),
                (".far.Away".to_owned(), "::far::far::Away".to_owned()),
            ]
        );
    }

    #[test]
    fn the_variable_is_named_as_cargo_names_it() {
        assert_eq!(
            variable("common-protos"),
            "DEP_COMMON_PROTOS_TRUNKLINE_PROTOS"
        );
    }
}
