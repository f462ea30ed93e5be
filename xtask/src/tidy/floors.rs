//! The floors of `src/`: arrows between its top-level modules go down only (see `docs/ARCHITECTURE.md`).

use super::rust::{Token, begins, group};
use super::{File, Violation};

/// One storey: its rooms may use every room of the storeys below it.
struct Floor {
    number: u32,
    rooms: &'static [&'static str],
    /// Whether its rooms must not know each other.
    strangers: bool,
}

/// The whole house, from the top. A new top-level module gets its place here first.
const FLOORS: &[Floor] = &[
    Floor { number: 6, rooms: &["graph"], strangers: false },
    Floor { number: 5, rooms: &["account", "device", "layer", "tune"], strangers: false },
    Floor { number: 4, rooms: &["cpu", "gpu"], strangers: true },
    Floor { number: 3, rooms: &["twin", "wgsl"], strangers: true },
    Floor { number: 2, rooms: &["plan"], strangers: true },
    Floor { number: 1, rooms: &["kernel"], strangers: true },
    Floor { number: 0, rooms: GROUND, strangers: false },
];
/// The rooms of floor 0.
const GROUND: &[&str] = &[
    "spatial",
    "layout",
    "padding",
    "conv",
    "problem",
    "correlation",
    "dtype",
    "error",
    "activation",
    "caps",
    "winograd",
];

fn floor_of(room: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.rooms.contains(&room))
}

pub(super) fn check(file: &File, tokens: &[Token], found: &mut Vec<Violation>) {
    let Some(inner) = file.path.strip_prefix("src/") else { return };
    let mut module: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    module.pop_if(|last| *last == "mod");
    // The front page shows every room, and tests may look wherever they like.
    if module == ["lib"] || module.last() == Some(&"tests") {
        return;
    }
    let room = module[0];
    let Some(floor) = floor_of(room) else {
        let what = format!("`{room}` has no floor; give it one in xtask/src/tidy/floors.rs and docs/ARCHITECTURE.md");
        found.push(file.violation(1, what));
        return;
    };
    for Token { text: name, line } in names_below_root(tokens, module.len()) {
        let Floor { number, strangers, .. } = floor;
        let what = match floor_of(name) {
            _ if name == room => continue,
            None => format!("`{name}` of the crate root is no room of the house; name the module that defines it"),
            Some(other) if other.number > *number => format!(
                "`{room}` (floor {number}) names `{name}` (floor {}); arrows go down only: move what both need below, \
                 or pass it in",
                other.number
            ),
            Some(other) if other.number == *number && *strangers => {
                format!(
                    "`{room}` names `{name}`, and the two of floor {number} are strangers; move what both need below"
                )
            }
            Some(_) => continue,
        };
        found.push(file.violation(*line, what));
    }
}

/// Finds what `crate::x`, `crate::{x, y::z}` and climbing `super::super::x` name, in code of a module so many names below
/// the root, within macros too; `#[cfg(test)] mod` blocks are left out.
fn names_below_root(tokens: &[Token], depth: usize) -> Vec<&Token> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        at += 1;
        // `mod name { .. }` is one module further down.
        if rest[0].text == "mod" && rest.get(2).is_some_and(|token| token.text == "{") {
            let body = group(&rest[3..]);
            if !is_for_tests(&tokens[..at - 1]) {
                names.extend(names_below_root(body, depth + 1));
            }
            at += 2 + body.len();
        } else if let Some(path) = path_to_root(rest, depth) {
            at = tokens.len() - path.len();
            names.extend(first_names(path));
        }
    }
    names
}

/// What a path goes on with after the `::` with which it has reached the crate root, if it does.
fn path_to_root(mut tokens: &[Token], depth: usize) -> Option<&[Token]> {
    if begins(tokens, &["crate", ":", ":"]) {
        return Some(&tokens[3..]);
    }
    for _ in 0..depth {
        tokens = begins(tokens, &["super", ":", ":"]).then(|| &tokens[3..])?;
    }
    Some(tokens)
}

/// The first name of each path in `x..`, or in the group `{x.., y..}`.
fn first_names(path: &[Token]) -> Vec<&Token> {
    if !begins(path, &["{"]) {
        return path.iter().take(1).collect();
    }
    let mut names = Vec::new();
    let (mut rest, mut is_first) = (group(&path[1..]), true);
    while let Some(token) = rest.first() {
        if is_first {
            names.push(token);
        }
        is_first = token.text == ",";
        let skipped = if token.text == "{" { group(&rest[1..]).len() + 1 } else { 0 };
        rest = &rest[1 + skipped..];
    }
    names
}

/// Whether the item that begins at the end of these tokens is `#[cfg(test)]`.
pub(super) fn is_for_tests(before: &[Token]) -> bool {
    let start = before.iter().rposition(|token| matches!(token.text.as_str(), ";" | "{" | "}")).map_or(0, |at| at + 1);
    let words: String = before[start..].iter().map(|token| token.text.as_str()).collect();
    words.contains("#[cfg(test)]")
}
