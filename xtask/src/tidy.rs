//! `tidy`: the rules of the house that a machine can hold. All violations are collected and printed together, each as
//! `path:line: what, and how to mend`; a rule has a file of its own below, and cases that it accepts and refuses in `tests`.

mod circles;
mod files;
mod floors;
mod markdown;
mod paths;
mod refusals;
mod rust;
mod shaders;
#[cfg(test)]
mod tests;
mod versions;
mod wisdom;

use std::fmt;
use std::path::Path;

use fs_err as fs;

use crate::files as tree;
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

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into() }
    }
}

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

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let violations = violations(root)?;
    for violation in &violations {
        println!("{violation}");
    }
    wisdom::notes(winoconv::plan::Wisdom::SHIPPED_FILES).iter().for_each(|note| println!("{note}"));
    anyhow::ensure!(violations.is_empty(), "tidy: violations: {}", violations.len());
    println!("tidy: nothing to mend");
    Ok(())
}

fn violations(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let is_ours = |path: &str| path.split('/').all(|folder| !SKIPPED_FOLDERS.contains(&folder));
    let mut files = Vec::new();
    for path in tree::below(root, "", &is_ours)? {
        // What is no UTF-8 (pictures, say) is no text.
        files.extend(String::from_utf8(fs::read(root.join(&path))?).ok().map(|text| File { path, text }));
    }
    let (mut found, mut rust) = (Vec::new(), Vec::new());
    for file in &files {
        files::check(file, &mut found);
        wisdom::check(file, &mut found);
        if file.is_rust() {
            match rust::tokens(file) {
                Ok(tokens) => {
                    rust::check(file, &tokens, &mut found);
                    floors::check(file, &tokens, &mut found);
                    rust.push((file, tokens));
                }
                Err(violation) => found.push(violation),
            }
        }
        shaders::check(file, &mut found);
        markdown::check(root, file, &mut found);
        versions::check(file, &mut found);
    }
    circles::check(&rust, &mut found);
    refusals::check(&files, &mut found);
    shaders::check_twins(&files, &mut found);
    if let Some(what) = study::stale(root)? {
        found.push(Violation { path: study::PAGE.into(), line: 1, what });
    }
    found.sort();
    found.dedup();
    Ok(found)
}
