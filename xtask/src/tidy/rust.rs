//! Rules for Rust code, read as tokens: so macros count, comments and strings do not.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{File, Violation};

/// The only files with `unsafe` in them; each says why it is sound. The test calls an `unsafe fn` of the interface.
const UNSAFE_FILES: &[&str] = &[
    "src/gpu/trusted.rs",
    "src/gpu/driver_cache.rs",
    "src/cpu/host/direct.rs",
    "src/cpu/host/disjoint.rs",
    "src/cpu/host/gemm.rs",
    "src/cpu/host/helpers.rs",
    "src/cpu/host/prefetch.rs",
    "src/cpu/host/result.rs",
    "src/cpu/host/walk.rs",
    "src/cpu/host/winograd.rs",
    "tests/pipelines.rs",
];
/// Where wgpu may be named; `src/lib.rs` re-exports it.
const WGPU_PLACES: &[&str] = &["src/gpu.rs", "src/gpu/", "src/lib.rs", "tests/", "benches/", "examples/", "xtask/"];
const WGPU_NAMES: &[&str] = &["wgpu", "wgpu_core", "wgpu_hal", "wgpu_types"];

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    if !file.is_rust() {
        return;
    }
    match file.text.parse::<TokenStream>() {
        Ok(tokens) => {
            let tokens: Vec<TokenTree> = tokens.into_iter().collect();
            words(file, &tokens, found);
        }
        Err(error) => {
            let line = error.span().start().line;
            found.push(file.violation(line, format!("is no Rust ({error}); mend the syntax")));
        }
    }
    ignored_examples(file, found);
}

fn words(file: &File, tokens: &[TokenTree], found: &mut Vec<Violation>) {
    for (at, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        match token {
            TokenTree::Ident(_) => {
                let word = ident(token).unwrap_or_default();
                let called = tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'))
                    && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)));
                word_rules(file, &word, called, line, found);
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                if group.delimiter() == Delimiter::Bracket && opens_attribute(&tokens[..at]) {
                    attribute(file, &inner, line, found);
                }
                words(file, &inner, found);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn word_rules(file: &File, word: &str, called: bool, line: usize, found: &mut Vec<Violation>) {
    match word {
        "unsafe" if !UNSAFE_FILES.contains(&file.path.as_str()) => found.push(file.violation(
            line,
            format!("`unsafe` outside {}; find a safe way, or move it there", UNSAFE_FILES.join(", ")),
        )),
        "todo" | "unimplemented" if called => found.push(
            file.violation(line, format!("`{word}!`; finish it, or return a typed error that says what is missing")),
        ),
        "dbg" if called => found.push(file.violation(line, "`dbg!`; delete it")),
        name if WGPU_NAMES.contains(&name) && !may_name_wgpu(file) => found.push(
            file.violation(line, format!("`{name}` outside src/gpu; pass plain data through, or move this to `gpu`")),
        ),
        _ => {}
    }
}

fn may_name_wgpu(file: &File) -> bool {
    WGPU_PLACES.iter().any(
        |place| {
            if place.ends_with('/') { file.path.starts_with(place) } else { file.path == *place }
        },
    )
}

/// The rules for `#[allow(..)]` and `#[ignore]`, behind `cfg_attr` too.
fn attribute(file: &File, tokens: &[TokenTree], line: usize, found: &mut Vec<Violation>) {
    let Some(name) = tokens.first().and_then(ident) else {
        return;
    };
    let arguments: Vec<TokenTree> = match tokens.get(1) {
        Some(TokenTree::Group(group)) => group.stream().into_iter().collect(),
        _ => Vec::new(),
    };
    match name.as_str() {
        "ignore" => found.push(file.violation(
            line,
            "`#[ignore]`; delete the test, or let it say at run time what it lacks and log a SKIPPED line",
        )),
        "allow" | "expect" => {
            let reasoned = split_at_commas(&arguments).iter().any(|argument| {
                argument.first().and_then(ident).is_some_and(|word| word == "reason")
                    && argument.get(1).is_some_and(|equals| is_punct(equals, '='))
            });
            if !reasoned {
                found.push(
                    file.violation(line, format!("`#[{name}]` without `reason = \"..\"`; give one, or obey the lint")),
                );
            }
        }
        "cfg_attr" => {
            for inner in split_at_commas(&arguments).iter().skip(1) {
                attribute(file, inner, line, found);
            }
        }
        _ => {}
    }
}

/// Examples in docs that nothing compiles.
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

fn opens_attribute(before: &[TokenTree]) -> bool {
    match before {
        [.., hash] if is_punct(hash, '#') => true,
        [.., hash, bang] => is_punct(hash, '#') && is_punct(bang, '!'),
        _ => false,
    }
}

/// The identifier that a token is, raw ones without their `r#`.
pub(super) fn ident(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(word) => Some(word.to_string().trim_start_matches("r#").to_owned()),
        _ => None,
    }
}

pub(super) fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

pub(super) fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    tokens.split(|token| is_punct(token, ',')).collect()
}
