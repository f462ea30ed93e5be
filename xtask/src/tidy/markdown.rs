//! Rules for Markdown: a relative link leads to a file of the tree.

use std::path::{Component, Path, PathBuf};

use super::{File, Violation};

pub(super) fn check(root: &Path, file: &File, found: &mut Vec<Violation>) {
    if file.extension() != "md" {
        return;
    }
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut fenced = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        for link in links(&without_code(line)) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || is_absolute(target) {
                continue;
            }
            let resolved = within_root(&folder.join(target));
            if !resolved.is_some_and(|path| root.join(path).exists()) {
                found.push(file.violation(
                    number,
                    format!("the link `{link}` leads nowhere; mend its path (relative to this file)"),
                ));
            }
        }
    }
}

/// Another site's address, or a mail's.
fn is_absolute(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// The path with its `..` taken, unless it leaves the tree or starts at the machine's root.
fn within_root(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// The line without what stands between back-ticks: a link in there is an example.
fn without_code(line: &str) -> String {
    if line.matches('`').count() % 2 == 1 {
        return line.to_owned();
    }
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Targets of `[..](target "title")` and of the definition `[..]: target`.
fn links(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find("](") {
        rest = &rest[start + 2..];
        let end = rest.find(')').unwrap_or(rest.len());
        targets.extend(rest[..end].split_whitespace().next().map(unbracket));
        rest = &rest[end..];
    }
    if line.starts_with('[')
        && !line.starts_with("[^")
        && let Some((_, after)) = line.split_once("]:")
    {
        targets.extend(after.split_whitespace().next().map(unbracket));
    }
    targets
}

fn unbracket(target: &str) -> String {
    target.trim_start_matches('<').trim_end_matches('>').to_owned()
}
