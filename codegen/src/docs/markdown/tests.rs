//! Comments in, documentation lines out.

use super::safe_lines;

fn check(comment: &str, expected: &[&str]) {
    assert_eq!(safe_lines(comment), expected, "of {comment:?}");
}

#[test]
fn plain_text_stays() {
    check("", &[]);
    check("\n \n", &[]);
    check(" One line.\n", &["One line."]);
    check(" Two\n lines.\n\n", &["Two", "lines."]);
    check(" - one\n   more\n - two\n", &["- one", "  more", "- two"]);
    check(
        " Uses `a<b>[c]` and *this*.\n",
        &["Uses `a<b>[c]` and *this*."],
    );
}

#[test]
fn fenced_code_is_text() {
    check(
        " Use:\n ```\n let x = v[0];\n ```\n done\n",
        &["Use:", "```text", "let x = v[0];", "```", "done"],
    );
    check("```rust\nfoo()\n", &["```text", "foo()", "```"]);
    check(
        "~~~~ c++\n```\na<b>\n~~~\n~~~~\n",
        &["~~~~text", "```", "a<b>", "~~~", "~~~~"],
    );
    check("- ```rust\n  x\n  ```\n", &["```text", "  x", "```"]);
}

#[test]
fn indented_code_is_text() {
    check(
        " Like so:\n\n     let x = 1;\n\n     let y = 2;\n\n and on.\n",
        &[
            "Like so:",
            "",
            "```text",
            "let x = 1;",
            "",
            "let y = 2;",
            "```",
            "",
            "and on.",
        ],
    );
    check("# Title\n\tcode\n", &["# Title", "```text", "code", "```"]);
    check("    a ``b``\n", &["a ``b``"]);
    check(
        "x\n\n    a ````\n",
        &["x", "", "`````text", "a ````", "`````"],
    );
    // Inside a paragraph indentation means nothing; after a marker it must not mean code.
    check("text\n        more\n", &["text", "   more"]);
    check("-      item\n", &["- item"]);
    check("1.      item\n", &["1. item"]);
}

#[test]
fn links_and_tags_are_escaped() {
    check("a <b> Vec<u8>\n", &["a \\<b\\> Vec\\<u8\\>"]);
    check("see [Foo][pkg.Foo]\n", &["see \\[Foo\\]\\[pkg.Foo\\]"]);
    check(
        "[docs](https://x.org/a) ok\n",
        &["[docs](https://x.org/a) ok"],
    );
    check("[a](http) b\n", &["\\[a\\](http) b"]);
    check("\\[kept\\] C:\\dir\n", &["\\[kept\\] C:\\\\dir"]);
    check("> quoted\n", &["\\> quoted"]);
    check("one ` tick\n", &["one \\` tick"]);
    check("``a`b`` [c]\n", &["``a`b`` \\[c\\]"]);
}

#[test]
fn bare_urls_are_links() {
    check("See https://x.org/a_b.\n", &["See <https://x.org/a_b>."]);
    check("(http://x.org)\n", &["(<http://x.org>)"]);
    check("xhttp://y.org http://\n", &["x<http://y.org> http://"]);
    check("<https://x.org>\n", &["\\<<https://x.org>\\>"]);
}

#[test]
fn hostile_characters_go() {
    check("a\rb\u{202E}c\u{7}d\n", &["abcd"]);
}
