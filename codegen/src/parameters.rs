//! The plugin's parameter: the same options as the builder's, as text.
//!
//! Shape: `key=value` pairs with commas between them; a value may hold commas inside brackets, or after
//! a backslash. A key that takes a path and a value has two `=`: `extern_path=.common=::common::pb`.

use crate::builder::Builder;
use crate::error::Error;

/// Every key, for the text of an error.
const KEYS: &str = "build_client, build_server, build_descriptors, runtime_path, include_file, skip_package, disable_comments, \
extern_path, compile_well_known_types, type_attribute, message_attribute, enum_attribute, field_attribute, \
derive, bytes, btree_map, boxed, retain_enum_prefix, type_names, trait_attribute, client_attribute, \
server_attribute";

/// Sets what the parameter says.
///
/// Errors: an unknown key, a value that is missing or of the wrong kind; each names the pair.
pub(crate) fn apply(mut builder: Builder, parameter: &str) -> Result<Builder, Error> {
    for pair in split(parameter) {
        builder = set(builder, &pair).map_err(|reason| Error::Option {
            option: format!("parameter {pair:?}"),
            reason,
        })?;
    }
    Ok(builder)
}

fn set(builder: Builder, pair: &str) -> Result<Builder, String> {
    let (key, value) = match pair.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (pair.trim(), None),
    };
    let text = || value.ok_or_else(|| format!("`{key}` needs a value, as in `{key}=…`"));
    let two = || {
        let both = text()?.split_once('=');
        both.ok_or_else(|| format!("`{key}` needs a path and a value, as in `{key}=.path=…`"))
    };
    let yes = || match value {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(format!("`{key}` is true or false")),
    };
    Ok(match key {
        "build_client" => builder.build_client(yes()?),
        "build_server" => builder.build_server(yes()?),
        "build_descriptors" => builder.build_descriptors(yes()?),
        "runtime_path" => builder.runtime_path(text()?),
        "include_file" => builder.include_file(text()?),
        "skip_package" => builder.skip_package(text()?),
        "disable_comments" => builder.disable_comments([text()?]),
        "extern_path" => {
            let (proto, rust) = two()?;
            builder.extern_path(proto, rust)
        }
        "compile_well_known_types" if yes()? => builder.compile_well_known_types(),
        "retain_enum_prefix" if yes()? => builder.retain_enum_prefix(),
        "compile_well_known_types" | "retain_enum_prefix" => builder,
        "type_names" => builder.type_names(yes()?),
        "bytes" => builder.bytes([text()?]),
        "btree_map" => builder.btree_map([text()?]),
        "boxed" => builder.boxed(text()?),
        "derive" => {
            let (path, traits) = two()?;
            builder.derive(path, traits)
        }
        "type_attribute" | "message_attribute" | "enum_attribute" | "field_attribute"
        | "trait_attribute" | "client_attribute" | "server_attribute" => {
            let (path, attribute) = two()?;
            attribute_of(builder, key, path, attribute)
        }
        "descriptor_set" => {
            return Err(
                "a plugin writes text only; protoc has --descriptor_set_out, and buf build -o"
                    .to_owned(),
            );
        }
        _ => return Err(format!("unknown; the keys are {KEYS}")),
    })
}

fn attribute_of(builder: Builder, key: &str, path: &str, attribute: &str) -> Builder {
    match key {
        "message_attribute" => builder.message_attribute(path, attribute),
        "enum_attribute" => builder.enum_attribute(path, attribute),
        "field_attribute" => builder.field_attribute(path, attribute),
        "trait_attribute" => builder.trait_attribute(path, attribute),
        "client_attribute" => builder.client_attribute(path, attribute),
        "server_attribute" => builder.server_attribute(path, attribute),
        _ => builder.type_attribute(path, attribute),
    }
}

/// Splits at commas that are in no brackets and behind no backslash.
fn split(parameter: &str) -> Vec<String> {
    let mut pairs = Vec::new();
    let mut pair = String::new();
    let mut depth = 0_usize;
    let mut letters = parameter.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => {
                pair.extend(letters.next());
                continue;
            }
            ',' if depth == 0 => {
                pairs.push(std::mem::take(&mut pair));
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        pair.push(c);
    }
    pairs.push(pair);
    pairs.retain(|pair| !pair.trim().is_empty());
    pairs
}

#[cfg(test)]
mod tests {
    use super::{apply, split};
    use crate::builder::configure;

    #[test]
    fn commas_inside_brackets_and_behind_backslashes_split_nothing() {
        assert_eq!(
            split("a=1,type_attribute=.=#[derive(A, B)],derive=.=C\\,D,,b"),
            [
                "a=1",
                "type_attribute=.=#[derive(A, B)]",
                "derive=.=C,D",
                "b"
            ]
        );
        assert!(split("").is_empty());
    }

    #[test]
    fn every_key_that_is_named_is_known() {
        for key in super::KEYS.split(", ") {
            for value in ["", "=true", "=.a=b"] {
                if let Err(error) = apply(configure(), &format!("{key}{value}")) {
                    assert!(!error.to_string().contains("unknown"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_pair_is_named() {
        for (pair, reason) in [
            ("nonsense=1", "unknown"),
            ("runtime_path", "needs a value"),
            ("extern_path=.a", "needs a path and a value"),
            ("build_client=maybe", "true or false"),
            ("descriptor_set=x", "--descriptor_set_out"),
        ] {
            let error = apply(configure(), &format!("build_server=false,{pair}"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("parameter {pair:?}: ")),
                "{error}"
            );
            assert!(error.contains(reason), "{error}");
        }
    }
}
