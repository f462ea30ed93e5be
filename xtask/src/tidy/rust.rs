//! Rules for Rust code, read as tokens: so macros count, comments and strings do not.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{File, Violation};

/// The only files with `unsafe` in them; each says why it is sound. The test calls an `unsafe fn` of the interface.
const UNSAFE_FILES: &[&str] = &[
    "src/gpu/recommended.rs",
    "src/gpu/trusted.rs",
    "src/gpu/cache/driver.rs",
    "src/cpu/kernel/depthwise.rs",
    "src/cpu/kernel/direct.rs",
    "src/cpu/kernel/fill.rs",
    "src/cpu/kernel/gemm.rs",
    "src/cpu/kernel/gradient.rs",
    "src/cpu/kernel/result.rs",
    "src/cpu/kernel/winograd.rs",
    "src/cpu/threads/disjoint.rs",
    "src/cpu/threads/helpers.rs",
    "src/cpu/threads/prefetch.rs",
    "src/cpu/threads/walk.rs",
    "tests/suite/pipelines.rs",
];
/// Where wgpu may be named; `src/lib.rs` re-exports it.
const WGPU_PLACES: &[&str] = &["src/gpu/", "src/lib.rs", "tests/", "benches/", "examples/", "xtask/", "bridges/"];
const WGPU_NAMES: &[&str] = &["wgpu", "wgpu_core", "wgpu_hal", "wgpu_types"];

/// A word, a mark, or an end of a group, with its line. Literals are there without their text.
pub(super) struct Token {
    pub text: String,
    pub line: usize,
}

pub(super) fn tokens(file: &File) -> Result<Vec<Token>, Violation> {
    let stream = file.text.parse::<TokenStream>();
    let stream = stream
        .map_err(|error| file.violation(error.span().start().line, format!("is no Rust ({error}); mend the syntax")))?;
    let mut all = Vec::new();
    unfold(stream, &mut all);
    Ok(all)
}

fn unfold(stream: TokenStream, all: &mut Vec<Token>) {
    for tree in stream {
        let mut push = |text: &str, line| all.push(Token { text: text.to_owned(), line });
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(word) => push(word.to_string().trim_start_matches("r#"), line),
            TokenTree::Punct(mark) => push(&mark.to_string(), line),
            TokenTree::Literal(_) => push("\"\"", line),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open, line);
                unfold(group.stream(), all);
                all.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
        }
    }
}

pub(super) fn group(tokens: &[Token]) -> &[Token] {
    let mut depth = 1;
    let end = tokens.iter().position(|token| {
        match token.text.as_str() {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

pub(super) fn begins(tokens: &[Token], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, text)| token.text == *text)
}

pub(super) fn check(file: &File, tokens: &[Token], found: &mut Vec<Violation>) {
    let in_place = |place: &&str| file.path == *place || (place.ends_with('/') && file.path.starts_with(*place));
    for (at, Token { text, line }) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        let is_called = ["(", "{", "["].iter().any(|open| begins(rest, &["!", open]));
        let what = match text.as_str() {
            "unsafe" if !UNSAFE_FILES.contains(&file.path.as_str()) => {
                format!("`unsafe` outside {}; find a safe way, or move it there", UNSAFE_FILES.join(", "))
            }
            "todo" | "unimplemented" if is_called => {
                format!("`{text}!`; finish it, or return a typed error that says what is missing")
            }
            "dbg" if is_called => "`dbg!`; delete it".to_owned(),
            name if WGPU_NAMES.contains(&name) && !WGPU_PLACES.iter().any(in_place) => {
                format!("`{name}` outside src/gpu; pass plain data through, or move this to `gpu`")
            }
            "#" if begins(rest, &["["]) || begins(rest, &["!", "["]) => {
                let start = if rest[0].text == "[" { 1 } else { 2 };
                let Some(what) = attribute(group(&rest[start..])) else { continue };
                what
            }
            _ => continue,
        };
        found.push(file.violation(*line, what));
    }
    ignored_examples(file, found);
}

/// The rules for `#[allow(..)]` and `#[ignore]`, behind `cfg_attr` too.
fn attribute(tokens: &[Token]) -> Option<String> {
    let has = |with: &[&str]| (0..tokens.len()).any(|at| begins(&tokens[at..], with));
    let is_conditional = begins(tokens, &["cfg_attr"]);
    if begins(tokens, &["ignore"]) || (is_conditional && has(&["ignore"])) {
        return Some(
            "`#[ignore]`; delete the test, or let it say at run time what it lacks and log a SKIPPED line".into(),
        );
    }
    let name = ["allow", "expect"].into_iter().find(|name| has(&[name, "("]))?;
    let what = format!("`#[{name}]` without `reason = \"..\"`; give one, or obey the lint");
    (!has(&["reason", "="])).then_some(what)
}

fn ignored_examples(file: &File, found: &mut Vec<Violation>) {
    for (number, line) in file.lines() {
        let text = line.trim_start();
        let doc = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"));
        if let Some(info) = doc.and_then(|doc| doc.trim().strip_prefix("```"))
            && info.split(',').any(|word| word.trim().starts_with("ignore"))
        {
            found.push(file.violation(number, "an ignored example; let it compile (`no_run`), or mark it `text`"));
        }
    }
}
