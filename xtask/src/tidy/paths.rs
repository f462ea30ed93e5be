//! The paths that a file of Rust names, in `use` and in code, within macros too; `#[cfg(test)] mod` blocks are left out.

use std::collections::BTreeSet;

use super::rust::{Token, begins, group};

pub(super) struct Named {
    pub path: Vec<String>,
    /// The line of its last name.
    pub line: usize,
    /// Modules within the file around it.
    pub depth: usize,
    /// If it is in a `use`: the name that it brings in, and whether others see that.
    pub alias: Option<(String, bool)>,
}

/// What a file names, and the names of the items in it.
#[derive(Default)]
pub(super) struct Names {
    pub paths: Vec<Named>,
    pub defined: BTreeSet<String>,
}

impl Names {
    pub(super) fn read(tokens: &[Token]) -> Self {
        let mut names = Self::default();
        names.walk(tokens, 0);
        names
    }

    fn walk(&mut self, tokens: &[Token], depth: usize) {
        const ITEMS: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "type", "union", "macro_rules"];
        let mut at = 0;
        while at < tokens.len() {
            let (rest, before) = (&tokens[at..], &tokens[..at]);
            let follows = |marks: &[&str]| before.last().is_some_and(|token| marks.contains(&token.text.as_str()));
            let word = rest[0].text.as_str();
            at += 1;
            if word == "mod" && rest.get(2).is_some_and(|token| token.text == "{") {
                let body = group(&rest[3..]);
                if !is_for_tests(before) {
                    self.walk(body, depth + 1);
                }
                at += 2 + body.len();
            } else if word == "use" {
                let end = rest.iter().position(|token| token.text == ";").unwrap_or(rest.len());
                bring_in(&rest[1..end], &[], (depth, follows(&["pub", ")"])), &mut self.paths);
                at += end;
            } else if ITEMS.contains(&word) {
                let name = rest[1..].iter().find(|token| token.text != "!" && token.text != "unsafe");
                self.defined.extend(name.map(|token| token.text.clone()));
            } else if is_name(word) && !follows(&[":", "."]) {
                let (path, line) = path(rest);
                if path.len() > 1 {
                    self.paths.push(Named { path, line, depth, alias: None });
                }
            }
        }
    }
}

/// Reads `a::{b, c::d as e}`.
fn bring_in(tokens: &[Token], before: &[String], (depth, shows): (usize, bool), all: &mut Vec<Named>) {
    let mut path = before.to_vec();
    for (at, Token { text, .. }) in tokens.iter().enumerate() {
        if text == "{" {
            let mut inner = 0;
            let branches = group(&tokens[at + 1..]).split(|token| {
                inner += i32::from(token.text == "{") - i32::from(token.text == "}");
                inner == 0 && token.text == ","
            });
            branches.for_each(|branch| bring_in(branch, &path, (depth, shows), all));
            return;
        } else if text == "as" {
            break;
        } else if text != ":" {
            path.push(text.clone());
        }
    }
    let Some(Token { text, line }) = tokens.last() else { return };
    if path.len() > 1 {
        path.pop_if(|last| last == "self");
    }
    let alias = if text == "self" { path.last().unwrap_or(text) } else { text };
    all.push(Named { alias: Some((alias.clone(), shows)), path, line: *line, depth });
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// `a::b::c` at the beginning of the tokens, and the line of its end.
fn path(tokens: &[Token]) -> (Vec<String>, usize) {
    let (mut path, mut line, mut rest) = (Vec::new(), 0, tokens);
    while let Some(token) = rest.first().filter(|token| is_name(&token.text)) {
        path.push(token.text.clone());
        line = token.line;
        let Some(next) = begins(&rest[1..], &[":", ":"]).then(|| &rest[3..]) else { break };
        rest = next;
    }
    (path, line)
}

/// Whether the item that begins at the end of these tokens is `#[cfg(test)]`.
fn is_for_tests(before: &[Token]) -> bool {
    let start = before.iter().rposition(|token| matches!(token.text.as_str(), ";" | "{" | "}")).map_or(0, |at| at + 1);
    let words: String = before[start..].iter().map(|token| token.text.as_str()).collect();
    words.contains("#[cfg(test)]")
}
