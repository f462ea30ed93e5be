//! Every refusal of a network has a row in docs/ERRORS.md: each text that is given to `refusal!` is found there, with anything in
//! place of its arguments. Rows are tested, so each refusal is.

use proc_macro2::{TokenStream, TokenTree};

use super::{File, Violation};

/// Where the rows are.
const PAGE: &str = "docs/ERRORS.md";
/// Whose variants have texts of their own.
const ERRORS: &str = "onnx/src/error.rs";

pub(super) fn check(files: &[File], found: &mut Vec<Violation>) {
    let page = files.iter().find(|file| file.path == PAGE).map_or("", |file| &file.text);
    let rows: Vec<String> = page.lines().filter(|line| line.starts_with("| ")).map(message).collect();
    for file in files.iter().filter(|file| file.is_rust()) {
        // What is no Rust has been told.
        let Ok(stream) = file.text.parse::<TokenStream>() else { continue };
        let mut texts = Vec::new();
        collect(stream, file.path == ERRORS, &mut texts);
        for (line, text) in texts {
            let pieces = pieces(&text);
            if !rows.iter().any(|row| has(row, &pieces)) {
                let how = "add a case to tests/suite/errors or onnx/tests/refusals, and let it write the page";
                found.push(file.violation(line, format!("the refusal \"{text}\" has no row in {PAGE}; {how}")));
            }
        }
    }
}

/// The last column of a row, as the error prints it.
fn message(row: &str) -> String {
    let row = row.trim_end_matches(" |");
    row.rsplit_once(" | ").map_or(row, |(_, message)| message).replace("\\|", "|").replace("<br>", "\n")
}

/// The formats of `refusal!("..", ..)`, and with `variants` also of `#[error("..")]`, with their lines.
fn collect(stream: TokenStream, variants: bool, texts: &mut Vec<(usize, String)>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        let word = |back: usize| at.checked_sub(back).map(|at| trees[at].to_string()).unwrap_or_default();
        let is_refusal = word(1) == "!" && word(2) == "refusal";
        if (is_refusal || variants && word(1) == "error")
            && let Some(TokenTree::Literal(literal)) = group.stream().into_iter().next()
        {
            let text = literal.to_string();
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&text);
            let text = inner.replace("\\\"", "\"").replace("\\\\", "\\");
            texts.push((literal.span().start().line, text));
        }
        collect(group.stream(), variants, texts);
    }
}

/// What stands between the arguments of a format.
fn pieces(format: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if matches!(c, '{' | '}') && rest.next_if_eq(&c).is_none() {
            rest.by_ref().find(|&c| c == '}');
            pieces.push(String::new());
        } else if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
    }
    pieces
}

/// Whether a message ends with these pieces in their order, and begins with the first one, also behind what says where.
fn has(message: &str, pieces: &[String]) -> bool {
    let behind = message.match_indices(": ").map(|(at, mark)| at + mark.len());
    std::iter::once(0).chain(behind).any(|start| ends_with(&message[start..], pieces))
}

fn ends_with(text: &str, pieces: &[String]) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return text.is_empty() };
    let Some(text) = text.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
    let found =
        middle.iter().try_fold(text, |text, piece| text.find(piece.as_str()).map(|at| &text[at + piece.len()..]));
    found.is_some_and(|text| text.ends_with(last.as_str()))
}
