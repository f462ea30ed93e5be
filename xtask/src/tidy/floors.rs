//! The floors of `src/`: arrows between its top-level modules go down only (see `docs/ARCHITECTURE.md`).

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use super::rust::{self, ident, is_punct};
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
    Floor { number: 5, rooms: &["account", "device", "layer", "tune"], strangers: false },
    Floor { number: 4, rooms: &["gpu"], strangers: true },
    Floor { number: 3, rooms: &["cpu", "wgsl"], strangers: true },
    Floor { number: 2, rooms: &["plan"], strangers: true },
    Floor { number: 1, rooms: &["kernel"], strangers: true },
    Floor {
        number: 0,
        rooms: &[
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
        ],
        strangers: false,
    },
];

fn floor_of(room: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.rooms.contains(&room))
}

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    let Some(inner) = file.path.strip_prefix("src/").filter(|_| file.is_rust()) else {
        return;
    };
    let mut module: Vec<String> = inner.trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    // The front page shows every room, and tests may look wherever they like.
    if module == ["lib"] || module.last().is_some_and(|last| last == "tests") {
        return;
    }
    let room = module[0].clone();
    let Some(floor) = floor_of(&room) else {
        let what = format!("`{room}` has no floor; give it one in xtask/src/tidy/floors.rs and docs/ARCHITECTURE.md");
        found.push(file.violation(1, what));
        return;
    };
    // A file that is no Rust at all is reported by `rust::check`.
    let Ok(tokens) = file.text.parse::<TokenStream>() else {
        return;
    };
    let mut roots = Vec::new();
    names_below_root(tokens, &module, &mut roots);
    for Root { name, line } in roots {
        if name == room {
            continue;
        }
        match floor_of(&name) {
            None => found.push(file.violation(
                line,
                format!("`{name}` of the crate root is no room of the house; name the module that defines it"),
            )),
            Some(other) if other.number > floor.number => found.push(file.violation(
                line,
                format!(
                    "`{room}` (floor {}) names `{name}` (floor {}); arrows go down only: move what both need below, \
                     or pass it in",
                    floor.number, other.number
                ),
            )),
            Some(other) if other.number == floor.number && floor.strangers => found.push(file.violation(
                line,
                format!(
                    "`{room}` names `{name}`, and the two of floor {} are strangers; move what both need below",
                    floor.number
                ),
            )),
            Some(_) => {}
        }
    }
}

/// A name that a path reaches directly below the crate root.
struct Root {
    name: String,
    line: usize,
}

/// Finds what `crate::x`, `crate::{x, y::z}` and climbing `super::super::x` name, in code of the module `module`, within
/// macros too; comments and strings are no code, and `#[cfg(test)] mod` blocks are left out.
fn names_below_root(tokens: TokenStream, module: &[String], roots: &mut Vec<Root>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        // `mod name { .. }` is one module further down.
        if ident(&tokens[at]).is_some_and(|word| word == "mod")
            && let Some(name) = tokens.get(at + 1).and_then(ident)
            && let Some(TokenTree::Group(body)) = tokens.get(at + 2)
        {
            if !is_for_tests(&tokens[..at]) {
                let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
                names_below_root(body.stream(), &inner, roots);
            }
            at += 3;
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => names_below_root(group.stream(), module, roots),
            TokenTree::Ident(_) => {
                if let Some(after) = path_to_root(&tokens, at, module.len()) {
                    first_names(&tokens[after..], roots);
                    at = after;
                    continue;
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
}

/// Where the path that starts at `at` goes on after the `::` with which it has reached the crate root, if it does.
fn path_to_root(tokens: &[TokenTree], at: usize, depth: usize) -> Option<usize> {
    let mut at = at;
    let mut climbed = 0;
    loop {
        let word = tokens.get(at).and_then(ident)?;
        if !colons(tokens, at + 1) {
            return None;
        }
        at += 3;
        match word.as_str() {
            "crate" => return Some(at),
            "super" => climbed += 1,
            _ => return None,
        }
        if climbed == depth {
            return Some(at);
        }
    }
}

/// The first name of each path in `x..`, or in the group `{x.., y..}`.
fn first_names(tokens: &[TokenTree], roots: &mut Vec<Root>) {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => {
            roots.push(Root { name: name.to_string(), line: name.span().start().line });
        }
        Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
            roots.push(Root { name: "*".into(), line: star.span().start().line });
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            for path in rust::split_at_commas(&inner) {
                first_names(path, roots);
            }
        }
        _ => {}
    }
}

fn colons(tokens: &[TokenTree], at: usize) -> bool {
    let first =
        matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':' && p.spacing() == Spacing::Joint);
    first && tokens.get(at + 1).is_some_and(|token| is_punct(token, ':'))
}

/// Whether the attributes that end `before` (past a visibility) hold `#[cfg(test)]`.
fn is_for_tests(before: &[TokenTree]) -> bool {
    let mut rest = before;
    loop {
        rest = match rest {
            [head @ .., TokenTree::Ident(word)] if word == "pub" => head,
            [head @ .., TokenTree::Ident(word), TokenTree::Group(g)]
                if word == "pub" && g.delimiter() == Delimiter::Parenthesis =>
            {
                head
            }
            [head @ .., hash, TokenTree::Group(attribute)]
                if is_punct(hash, '#') && attribute.delimiter() == Delimiter::Bracket =>
            {
                if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                    return true;
                }
                head
            }
            _ => return false,
        };
    }
}
