//! The text of a file of an edition, as a parser of proto3 takes it.
//!
//! Two things differ: the statement at the top, and defaults of fields, which proto3 has not. Those get
//! another name, by which they are an option like any other, and are taken back from the options later.

use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, UninterpretedOption,
};

use super::MAXIMUM;

const KNOWN: [(&str, i32); 2] = [("2023", 1000), ("2024", MAXIMUM)];

/// What `default` is called meanwhile; as long as it is, so that every column stays.
const DEFAULT: &str = "dEfauLt";

/// What the `inf` of `-inf` is called meanwhile, which is a default and no value of an option.
const NEGATIVE_INFINITY: &str = "iNf";

/// An `edition` statement that begins a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Statement<'a> {
    /// The text as proto3, with every later line where it was, and the edition's number.
    Known(String, i32),
    /// An edition that is not known, and where its name begins.
    Unknown(&'a str, usize),
}

/// Finds the `edition` statement; `None` for a file of proto2 or proto3, and for one that is malformed.
pub(crate) fn statement(text: &str) -> Option<Statement<'_>> {
    let start = text.len() - skip_blank(text).len();
    let rest = text.get(start..)?.strip_prefix("edition")?;
    let rest = skip_blank(rest).strip_prefix('=')?;
    let rest = skip_blank(rest);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = rest.get(1..)?;
    let name_at = text.len() - rest.len();
    let (name, rest) = rest.split_once(quote)?;
    let rest = skip_blank(rest).strip_prefix(';')?;
    let Some((_, number)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        return Some(Statement::Unknown(name, name_at));
    };
    let replaced = text.get(start..text.len() - rest.len())?;
    let lines = "\n".repeat(replaced.matches('\n').count());
    let head = text.get(..start)?;
    let rest = rename_defaults(rest);
    let new = format!("{head}syntax = \"proto3\";{lines}{rest}");
    Some(Statement::Known(new, *number))
}

/// Skips white space and comments.
fn skip_blank(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let after = match rest.get(..2) {
            Some("//") => rest.split_once('\n').map(|(_, after)| after),
            Some("/*") => rest.split_once("*/").map(|(_, after)| after),
            _ => return rest,
        };
        match after {
            Some(after) => rest = after,
            None => return "",
        }
    }
}

/// Renames the option `default`: the word between `[` or `,` and `=`, outside strings and comments. Of its
/// value `-inf` the sign goes, and so it does of `-nan`.
fn rename_defaults(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut before, mut in_default) = (' ', false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = token(rest, c);
        let (token, after) = rest.split_at(length);
        let is_default =
            token == "default" && matches!(before, '[' | ',') && skip_blank(after).starts_with('=');
        let value = skip_blank(after);
        out.push_str(match token {
            _ if is_default => DEFAULT,
            "-" if in_default && ["inf", "nan"].iter().any(|word| value.starts_with(word)) => " ",
            "inf" if in_default && before == '-' => NEGATIVE_INFINITY,
            token => token,
        });
        let is_blank = c.is_whitespace() || token.starts_with("//") || token.starts_with("/*");
        if !is_blank {
            before = c;
            in_default = is_default || (in_default && matches!(c, '=' | '-'));
        }
        rest = after;
    }
    out
}

/// The length of the token that begins with `c`: a word, a string, a comment, or one character.
fn token(rest: &str, c: char) -> usize {
    let until = |end: &str| {
        rest.get(2..)
            .and_then(|t| t.find(end))
            .map(|at| 2 + at + end.len())
    };
    match c {
        '"' | '\'' => {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, d)| {
                let ends = (*d == c && !escaped) || *d == '\n';
                escaped = *d == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, d)| at + d.len_utf8())
        }
        '/' if rest.starts_with("//") => until("\n").unwrap_or(rest.len()),
        '/' if rest.starts_with("/*") => until("*/").unwrap_or(rest.len()),
        c if c == '_' || c.is_ascii_alphanumeric() => rest
            .find(|d: char| d != '_' && !d.is_ascii_alphanumeric())
            .unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

/// Makes defaults of the options that they were meanwhile.
pub(crate) fn take_defaults(file: &mut FileDescriptorProto) {
    fn each(message: &mut DescriptorProto) {
        message.field.iter_mut().for_each(take_default);
        message.extension.iter_mut().for_each(take_default);
        message.nested_type.iter_mut().for_each(each);
    }
    file.message_type.iter_mut().for_each(each);
    file.extension.iter_mut().for_each(take_default);
}

fn take_default(field: &mut FieldDescriptorProto) {
    let Some(options) = &mut field.options else {
        return;
    };
    let is_default = |option: &UninterpretedOption| match option.name.as_slice() {
        [part] => part.name_part == DEFAULT && !part.is_extension,
        _ => false,
    };
    let at = options.uninterpreted_option.iter().position(is_default);
    if let Some(at) = at {
        let option = options.uninterpreted_option.remove(at);
        field.default_value = default_value(&option);
    }
}

/// A value as `FieldDescriptorProto.default_value` has it.
fn default_value(option: &UninterpretedOption) -> Option<String> {
    let bytes = |bytes: &Vec<u8>| match String::from_utf8(bytes.clone()) {
        Ok(text) => text,
        Err(_) => bytes.iter().map(|byte| format!("\\{byte:03o}")).collect(),
    };
    let word = |word: &String| match word.as_str() {
        NEGATIVE_INFINITY => "-inf".to_owned(),
        word => word.to_owned(),
    };
    option
        .identifier_value
        .as_ref()
        .map(word)
        .or_else(|| option.positive_int_value.map(|n| n.to_string()))
        .or_else(|| option.negative_int_value.map(|n| n.to_string()))
        .or_else(|| option.double_value.map(|n| n.to_string()))
        .or_else(|| option.string_value.as_ref().map(bytes))
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, MAXIMUM, Statement, rename_defaults, statement};

    #[test]
    fn an_edition_is_read_as_proto3_with_lines_kept() {
        let text = "// head\n/* and\nmore */ edition\n = '2023' ;\nmessage A {}\n";
        let Some(Statement::Known(new, 1000)) = statement(text) else {
            panic!("2023 is known");
        };
        assert!(new.starts_with("// head\n/* and\nmore */ syntax = \"proto3\";"));
        assert_eq!(new.lines().nth(4), Some("message A {}"));
        assert!(matches!(
            statement("edition=\"2024\";"),
            Some(Statement::Known(_, MAXIMUM))
        ));
    }

    #[test]
    fn other_editions_have_a_place_and_other_files_are_left_alone() {
        let text = "edition = \"2099\";";
        assert_eq!(statement(text), Some(Statement::Unknown("2099", 11)));
        for text in [
            "",
            "syntax = \"proto3\";",
            "edition",
            "edition = ",
            "// edition",
            "/*",
        ] {
            assert_eq!(statement(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_option_default_is_renamed() {
        let text = "int32 default = 1 [default = 7, /* x */ default=8]; // [default = 9]\n\
                    enum E { default = 0; } string s = 2 [json_name = \"[default = 1\\\"\", default = \"x\"];";
        let renamed = rename_defaults(text);
        assert_eq!(renamed.len(), text.len());
        assert_eq!(renamed.matches(DEFAULT).count(), 3, "{renamed}");
        assert!(
            renamed.starts_with("int32 default = 1 [dEfauLt = 7, /* x */ dEfauLt=8]; // [default")
        );
        assert!(renamed.ends_with(", dEfauLt = \"x\"];"));
    }

    #[test]
    fn negative_infinity_is_renamed_as_a_default_alone() {
        let text =
            "float a = 1 [default = -inf, (x) = -inf], b = 2 [default = - nan]; float inf = 3;";
        let renamed = rename_defaults(text);
        let expected =
            "float a = 1 [dEfauLt =  iNf, (x) = -inf], b = 2 [dEfauLt =   nan]; float inf = 3;";
        assert_eq!(renamed, expected);
    }
}
