//! Rules for any text file: clean line ends, a length and a depth that one can live in, a first line that says what it is.

use super::{File, Violation};

const MOST_LINES: usize = 600;
/// Folders below `src`: a room, and a room within it.
const MOST_FOLDERS: usize = 2;
/// Generated files, which nobody reads from top to bottom.
const GENERATED: &[&str] = &["tests/golden/"];
/// Written in two pieces, so that this file keeps its own rule.
const UNFINISHED: &str = concat!("FIX", "ME");

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    if is_prose_or_code(file) {
        line_ends(file, found);
        unfinished(file, found);
    }
    if matches!(file.extension(), "rs" | "wgsl") {
        length(file, found);
    }
    if file.is_rust() {
        opening(file, "//!", found);
        depth(file, found);
    }
    if file.extension() == "wgsl" && file.path.starts_with("shaders/") {
        opening(file, "//", found);
    }
}

/// What people edit; lock files, snapshots and data keep the form that their tools give them.
fn is_prose_or_code(file: &File) -> bool {
    const ENDINGS: &[&str] =
        &["rs", "wgsl", "toml", "md", "yml", "yaml", "json", "js", "mjs", "css", "html", "sh", "py"];
    const NAMES: &[&str] = &[".gitignore", ".gitattributes", ".editorconfig", "LICENSE-MIT", "LICENSE-APACHE"];
    ENDINGS.contains(&file.extension()) || NAMES.contains(&file.name()) || file.path.starts_with(".ci/")
}

fn line_ends(file: &File, found: &mut Vec<Violation>) {
    for (number, line) in file.text.split('\n').enumerate().map(|(index, line)| (index + 1, line)) {
        let body = line.strip_suffix('\r').unwrap_or(line);
        if body.len() != line.len() {
            found.push(file.violation(number, "a CRLF line end; save with LF"));
        }
        if body.ends_with([' ', '\t']) {
            found.push(file.violation(number, "white space at the end of the line; delete it"));
        }
        if body.contains('\t') {
            found.push(file.violation(number, "a tab; indent with spaces (in strings write \\t)"));
        }
    }
    let last = file.lines().count().max(1);
    if file.text.is_empty() {
        found.push(file.violation(1, "an empty file; delete it, or say in it what it is for"));
    } else if !file.text.ends_with('\n') {
        found.push(file.violation(last, "no line end after the last line; add one"));
    } else if file.text.ends_with("\n\n") {
        found.push(file.violation(last, "an empty line at the end; delete it"));
    }
}

fn unfinished(file: &File, found: &mut Vec<Violation>) {
    for (number, line) in file.lines() {
        if line.contains(UNFINISHED) {
            let what = "mend it now, or write an issue and the fact that a reader needs";
            found.push(file.violation(number, format!("`{UNFINISHED}`; {what}")));
        }
    }
}

fn length(file: &File, found: &mut Vec<Violation>) {
    let lines = file.lines().count();
    if lines > MOST_LINES && !GENERATED.iter().any(|folder| file.path.starts_with(folder)) {
        let what = format!("{lines} lines, {MOST_LINES} at most; move what can be named into a file of its own");
        found.push(file.violation(MOST_LINES + 1, what));
    }
}

fn opening(file: &File, mark: &str, found: &mut Vec<Violation>) {
    let first = file.lines().next().map_or("", |(_, line)| line);
    let says = first.strip_prefix(mark).is_some_and(|rest| rest.starts_with(' ') && !rest.trim().is_empty());
    if !says {
        let what = format!("does not open with `{mark}`; say in a paragraph what it holds, and why");
        found.push(file.violation(1, what));
    }
}

fn depth(file: &File, found: &mut Vec<Violation>) {
    let folders = file.path.strip_prefix("src/").map_or(0, |inner| inner.matches('/').count());
    if folders > MOST_FOLDERS {
        let what = format!("{folders} folders below src, {MOST_FOLDERS} at most; flatten, or find the missing room");
        found.push(file.violation(1, what));
    }
}
