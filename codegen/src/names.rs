//! Rust names for protobuf names.
//!
//! Rules, in order: words are split and joined as prost does it for messages; a Rust keyword becomes
//! a raw identifier (`r#type`), or gets an underscore where Rust has no raw form (`self_`); a name
//! that is taken gets trailing underscores. Taken, for a method, are the names that generated code
//! or the prelude gives every stub (`new`, `clone`, `into`, `try_into`) and the methods before it;
//! for a type or module, whatever else the package generates.

use std::collections::HashSet;

/// Names of methods that a stub has without any RPC; the `by value` ones of the prelude would win over an RPC.
const STUB_METHODS: [&str; 4] = ["new", "clone", "into", "try_into"];

/// A method or module name: `SayHello` is `say_hello`, `Type` is `r#type`.
pub(crate) fn snake(name: &str) -> String {
    identifier(words(name).join("_"))
}

/// A type name: `route_guide` is `RouteGuide`, `Self` is `Self_`.
pub(crate) fn upper_camel(name: &str) -> String {
    let capitalized = words(name).into_iter().map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    identifier(capitalized.collect())
}

/// The name of an enum's value: `KIND_HOUSE` of `Kind` is `House`, or `KindHouse` with its prefix kept.
///
/// As prost-build does it: the prefix goes only if a capital follows.
pub(crate) fn variant(of: &str, value: &str, keep_prefix: bool) -> String {
    let name = upper_camel(value);
    let stripped = name.strip_prefix(&upper_camel(of)).filter(|rest| {
        let capital = rest.chars().next().is_some_and(char::is_uppercase);
        capital && !keep_prefix
    });
    stripped.map_or_else(|| name.clone(), |rest| identifier(rest.to_owned()))
}

/// The name that prost-build gives to a field, or to the module of what is inside a message.
pub(crate) fn prost_snake(name: &str) -> String {
    match snake(name).as_str() {
        // It has no raw form for this one, though Rust does.
        "r#extern" => "extern_".to_owned(),
        module => module.to_owned(),
    }
}

/// The words of a name in lower case: `GetHTTPStatus_v2` is get, http, status, v2.
///
/// A word ends at an underscore, before a capital that follows a small letter, and before the last of
/// several capitals if a small letter follows. A digit counts as what the letter before it is, and as part of
/// the word if there is none.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split('_') {
        let mut word = String::new();
        let (mut small, mut lettered) = (false, false);
        let mut letters = part.chars().peekable();
        while let Some(c) = letters.next() {
            let ends_capitals = lettered
                && c.is_ascii_uppercase()
                && letters.peek().is_some_and(char::is_ascii_lowercase);
            if !word.is_empty() && c.is_ascii_uppercase() && (small || ends_capitals) {
                words.push(std::mem::take(&mut word));
            }
            word.push(c.to_ascii_lowercase());
            if c.is_ascii_alphabetic() {
                (small, lettered) = (c.is_ascii_lowercase(), true);
            }
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words
}

/// The names in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Scope(HashSet<String>);

impl Scope {
    /// A scope for the methods of one service.
    pub(crate) fn of_methods() -> Self {
        Self(STUB_METHODS.iter().map(|&name| name.to_owned()).collect())
    }

    /// Marks a name as taken by somebody else.
    pub(crate) fn reserve(&mut self, name: &str) {
        self.0.insert(plain(name).to_owned());
    }

    /// Takes a name, changed by trailing underscores if it is not free.
    pub(crate) fn claim(&mut self, name: &str) -> String {
        if self.0.insert(plain(name).to_owned()) {
            return name.to_owned();
        }
        let mut changed = plain(name).to_owned();
        while !self.0.insert(changed.clone()) {
            changed.push('_');
        }
        changed
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn identifier(name: String) -> String {
    match name.as_str() {
        "" => "unnamed".to_owned(),
        "self" | "Self" | "super" | "crate" => name + "_",
        digit if digit.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}"),
        keyword if is_keyword(keyword) => format!("r#{name}"),
        _ => name,
    }
}

/// Keywords of every edition, reserved ones included: the including crate may use any edition.
fn is_keyword(name: &str) -> bool {
    const KEYWORDS: [&str; 48] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do",
        "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in",
        "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
        "return", "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe",
        "unsized", "use", "virtual", "where", "while", "yield",
    ];
    KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::{Scope, snake, upper_camel};

    #[test]
    fn names_follow_rust_and_dodge_keywords() {
        for (proto, method, ty) in [
            ("SayHello", "say_hello", "SayHello"),
            ("GetHTTPStatus", "get_http_status", "GetHttpStatus"),
            ("do_it", "do_it", "DoIt"),
            ("HTTP2Server", "http2_server", "Http2Server"),
            ("A_1Way", "a_1way", "A1way"),
            ("getV1Beta", "get_v1_beta", "GetV1Beta"),
            ("ABC", "abc", "Abc"),
            ("_under__score_", "under_score", "UnderScore"),
            ("Type", "r#type", "Type"),
            ("Gen", "r#gen", "Gen"),
            ("Extern", "r#extern", "Extern"),
            ("Self", "self_", "Self_"),
            ("Super", "super_", "Super"),
            ("Union", "union", "Union"),
            ("_2d", "_2d", "_2d"),
            ("_", "unnamed", "unnamed"),
        ] {
            assert_eq!(snake(proto), method);
            assert_eq!(upper_camel(proto), ty);
        }
    }

    #[test]
    fn modules_are_named_as_prost_names_them() {
        for name in [
            "GetHTTPStatus",
            "HTTP2Server",
            "getV1Beta",
            "A1B",
            "a1B2c",
            "X9",
            "Ab9C",
            "AB9c",
            "type",
        ] {
            let module = prost_build::Module::from_protobuf_package_name(name);
            assert_eq!(module.parts().collect::<Vec<_>>(), [snake(name)]);
        }
    }

    #[test]
    fn taken_names_get_underscores() {
        let mut scope = Scope::of_methods();
        assert_eq!(scope.claim("new"), "new_");
        assert_eq!(scope.claim("new_"), "new__");
        assert_eq!(scope.claim("r#type"), "r#type");
        assert_eq!(scope.claim("r#type"), "type_");
        assert_eq!(scope.claim("get"), "get");
        assert_eq!(scope.claim("get"), "get_");
    }
}
