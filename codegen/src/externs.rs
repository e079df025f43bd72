//! Which protobuf names have their Rust types elsewhere: the table of extern paths.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::options::Options;

/// Full names with their dot, to Rust paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Externs {
    paths: BTreeMap<String, String>,
}

impl Externs {
    /// The caller's paths, those of imported crates, and the well-known types for what is left.
    pub(crate) fn new(
        options: &Options,
        imported: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let mut paths = BTreeMap::new();
        for (proto, rust) in &options.extern_paths {
            if let Some(other) = paths.insert(proto.clone(), rust.clone())
                && other != *rust
            {
                return Err(Error::Option {
                    option: format!("extern_path({proto:?})"),
                    reason: format!("given twice, as `{other}` and as `{rust}`"),
                });
            }
        }
        for (proto, rust) in imported {
            paths.entry(proto.clone()).or_insert_with(|| rust.clone());
        }
        let whole_package = paths.contains_key(".google.protobuf");
        if !options.well_known_types && !whole_package {
            for (proto, rust) in well_known(&options.runtime) {
                paths.entry(proto).or_insert(rust);
            }
        }
        Ok(Self { paths })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.paths
            .iter()
            .map(|(proto, rust)| (proto.as_str(), rust.as_str()))
    }

    /// Whether a full name (`.shop.Money`) has its Rust type elsewhere.
    pub(crate) fn cover(&self, full_name: &str) -> bool {
        self.paths.contains_key(full_name)
            || full_name
                .rmatch_indices('.')
                .filter_map(|(at, _)| full_name.get(..at))
                .any(|scope| self.paths.contains_key(scope))
    }
}

/// Rust's own types where there is one, prost-types for the others.
fn well_known(runtime: &str) -> impl Iterator<Item = (String, String)> {
    let prost = format!("{runtime}::codegen::prost");
    [
        ("", format!("{runtime}::codegen::prost_types")),
        (".BoolValue", "bool".to_owned()),
        (".BytesValue", format!("{prost}::alloc::vec::Vec<u8>")),
        (".DoubleValue", "f64".to_owned()),
        (".Empty", "()".to_owned()),
        (".FloatValue", "f32".to_owned()),
        (".Int32Value", "i32".to_owned()),
        (".Int64Value", "i64".to_owned()),
        (".StringValue", format!("{prost}::alloc::string::String")),
        (".UInt32Value", "u32".to_owned()),
        (".UInt64Value", "u64".to_owned()),
    ]
    .into_iter()
    .map(|(name, rust)| (format!(".google.protobuf{name}"), rust))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Externs;
    use crate::options::Options;

    fn externs(options: &Options) -> Externs {
        Externs::new(options, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_package_covers_what_is_in_it_and_nothing_beside_it() {
        let mut options = Options::default();
        let path = (".shop".to_owned(), "::shop".to_owned());
        options.extern_paths.push(path);
        let externs = externs(&options);
        assert!(externs.cover(".shop.Money"));
        assert!(externs.cover(".shop.orders.Order.State"));
        assert!(externs.cover(".google.protobuf.Timestamp"));
        assert!(!externs.cover(".shopping.List"));
        assert!(!externs.cover(".google.rpc.Status"));
    }

    #[test]
    fn well_known_types_give_way() {
        let mut options = Options::default();
        let empty = (".google.protobuf.Empty".to_owned(), "::my::E".to_owned());
        options.extern_paths.push(empty);
        let found = externs(&options);
        let rust = |name: &str| found.iter().find(|(p, _)| *p == name).map(|(_, r)| r);
        assert_eq!(rust(".google.protobuf.Empty"), Some("::my::E"));
        assert_eq!(rust(".google.protobuf.BoolValue"), Some("bool"));

        options
            .extern_paths
            .push((".google.protobuf".to_owned(), "::all".to_owned()));
        assert_eq!(externs(&options).iter().count(), 2);

        let own = Options {
            well_known_types: true,
            ..Options::default()
        };
        assert_eq!(externs(&own).iter().count(), 0);
    }

    #[test]
    fn two_rust_paths_for_one_name_are_refused() {
        let mut options = Options::default();
        for rust in ["::a", "::b"] {
            options
                .extern_paths
                .push((".x.Y".to_owned(), rust.to_owned()));
        }
        let error = Externs::new(&options, &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("`::a` and as `::b`"), "{error}");
    }
}
