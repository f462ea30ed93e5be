//! `tidy`: the rules of the house that a machine can hold. All violations are collected and printed together, each as
//! `path:line: what, and how to mend`; a rule has a file of its own below, and cases that it accepts and refuses in `tests`.

mod files;
mod floors;
mod markdown;
mod rust;
mod shaders;
#[cfg(test)]
mod tests;
mod versions;
mod wisdom;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

use crate::study;

/// Folders that are no part of the project's text.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "node_modules", ".idea", ".vscode"];

/// A text file, its path relative to the root and written with `/`.
#[derive(Debug)]
pub(crate) struct File {
    path: String,
    text: String,
}

impl File {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The name's ending without its dot; empty for `LICENSE-MIT` and `.gitignore`.
    fn extension(&self) -> &str {
        match self.name().rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => extension,
            _ => "",
        }
    }

    fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into() }
    }
}

/// One broken rule: where, what, and how to mend it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Checks the tree under `root` and prints every violation.
///
/// # Errors
/// When the tree cannot be read, or when any rule is broken.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let violations = violations(root)?;
    for violation in &violations {
        println!("{violation}");
    }
    wisdom::notes(winoconv::plan::Wisdom::SHIPPED_FILES).iter().for_each(|note| println!("{note}"));
    match violations.len() {
        0 => {
            println!("tidy: nothing to mend");
            Ok(())
        }
        1 => anyhow::bail!("tidy: 1 violation"),
        count => anyhow::bail!("tidy: {count} violations"),
    }
}

/// Every violation in the tree, in the order of files and lines.
fn violations(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let mut files = Vec::new();
    collect(root, "", &mut files)?;
    let mut found = Vec::new();
    for file in &files {
        files::check(file, &mut found);
        wisdom::check(file, &mut found);
        rust::check(file, &mut found);
        floors::check(file, &mut found);
        shaders::check(file, &mut found);
        markdown::check(root, file, &mut found);
    }
    shaders::check_twins(&files, &mut found);
    versions::check(&files, &mut found);
    if let Some(what) = study::stale(root)? {
        found.push(Violation { path: study::PAGE.into(), line: 1, what });
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Reads the text files below `folder`; what is no UTF-8 (pictures, say) is left out.
fn collect(root: &Path, folder: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    let here = root.join(folder);
    let mut entries = std::fs::read_dir(&here)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("reading the folder {}", here.display()))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().with_context(|| format!("reading {path}"))?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                collect(root, &path, files)?;
            }
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}
